#!/usr/bin/env python3
"""Opens a value that Fieldgate sealed, with nothing of Fieldgate: Python 3 and `cryptography` (pyca).

  open-sealed.py --keyset keys/keyset.json --kek keys/kek [--subject HEX] fg1_...
  FG_PASSPHRASE=... open-sealed.py --keyset escrow.json [--subject HEX] fg1_...      (an escrow copy)

--subject is the data subject's key where the value names one: 52 bytes as the vault keeps it, or its 32 bytes in clear.
"""
import argparse, base64, hashlib, hmac, json, os, struct, sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def lp(*items):
    return b"".join(struct.pack(">I", len(item)) + item for item in items)


def hkdf(salt, secret, info, size):
    return HKDF(SHA256(), size, salt, info).derive(secret)


def mac(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def keys(keyset, kek_file):
    """The root out of its wrapping, then every key out of the root, by id."""
    document = json.load(open(keyset))
    tenant, wrapped = document["tenant"].encode(), base64.b64decode(document["krk"]["wrapped"])
    if document["kek"]["provider"] == "passphrase":
        memory, passes, lanes = struct.unpack(">III", wrapped[:12])
        derive = Argon2id(salt=wrapped[12:28], length=32, iterations=passes, lanes=lanes, memory_cost=memory)
        kek, wrapped = derive.derive(os.environ["FG_PASSPHRASE"].encode()), wrapped[28:]
    else:
        kek = base64.b64decode(open(kek_file).read().strip().removeprefix("fieldgate-kek-1:"))
    root = AESSIV(hkdf(b"fieldgate/kek-1", kek, b"wrap root\0", 64)).decrypt(wrapped, [lp(b"fieldgate/krk", tenant)])
    wrap = AESSIV(hkdf(b"fieldgate/keyset-1", root, b"wrap\0" + tenant, 64))
    names = ("id", "purpose", "class", "alg", "norm", "state", "created", "changed")
    living = [key for key in document["keys"] if "wrapped" in key]
    said = lambda key: lp(b"fieldgate/keyset-entry", tenant, *(key.get(name, "").encode() for name in names))
    open_key = lambda key: wrap.decrypt(base64.b64decode(key["wrapped"]), [said(key)])
    return tenant, {key["id"]: (key.get("class", "").encode(), open_key(key)) for key in living}


def decode(text):
    letters = text[4:]
    if letters[0] in "cC":
        return base64.b32decode(letters.upper() + "=" * (-len(letters) % 8))
    return base64.urlsafe_b64decode(letters + "=" * (-len(letters) % 4))


def subject_key(given, tenant, keys, ref):
    if len(given) != 52:
        return given
    kid, wrapped = given[:4], given[4:]
    return AESSIV(keys[kid.hex()][1]).decrypt(wrapped, [lp(b"fieldgate/swk", tenant, ref, kid)])


def open_value(text, tenant, keys, subject):
    env = decode(text)
    mode, at = env[0], 1 + (20 if env[0] == 0x13 else 0)
    kid, at = env[at : at + 4], at + 4
    class_, key = keys[kid.hex()]
    if mode == 0x15:
        return AESSIV(key).decrypt(env[at:], [b"fieldgate/fg1", env[:at], tenant, class_])
    ref, at = (env[at : at + 8], at + 8) if mode in (0x12, 0x13) else (b"", at)
    while env[at] & 0x80:
        at += 1
    head, salt, commitment, sealed = env[: at + 1], env[at + 1 : at + 17], env[at + 17 : at + 33], env[at + 33 :]
    context = lp(b"fieldgate/fg1", bytes([mode]), tenant, class_, kid, ref, head)
    secret = mac(key, b"fg1 subj\0" + lp(ref, subject_key(subject, tenant, keys, ref))) if ref else key
    derived = hkdf(salt, secret, b"fg1 seal\0" + context, 60)
    if not hmac.compare_digest(derived[44:], commitment):
        sys.exit("sealed for another tenant, class, key or person")
    return unpad(AESGCM(derived[:32]).decrypt(derived[32:44], sealed, context))


def unpad(body):
    try:
        body.decode()
        return body
    except UnicodeDecodeError:
        return body.rstrip(b"\0").removesuffix(b"\x80")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--keyset", required=True)
    parser.add_argument("--kek")
    parser.add_argument("--subject", type=bytes.fromhex, default=b"")
    parser.add_argument("value")
    given = parser.parse_args()
    print(open_value(given.value, *keys(given.keyset, given.kek), given.subject).decode())
