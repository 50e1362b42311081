#!/usr/bin/env python3
"""Measures `fieldgate scan` and Presidio's pattern recognisers on the same texts; prints counts and rates, never a text.

Texts are labelled sentences (presidio-research), recogniser cases (presidio), adversarial rows (pii-anon), a sparse log
(datafog) and the notes of the project's own generator (`fieldgate scan --example-notes`). Run by detect-presidio.sh.
"""

import argparse
import glob
import json
import os
import resource
import subprocess
import sys
import time

BULK_BYTES = 64 * 1024 * 1024
NAMES = {"CREDIT_CARD": "card", "EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "IBAN_CODE": "iban", "US_SSN": "us_ssn"}
CORE = list(NAMES.values())
# Recogniser cases of the ids that are claimed; passports and licences count only next to a word, so their bare cases do not.
CLAIMED = {
    "AU_TFN": "au_tfn", "CA_SIN": "ca_sin", "DE_TAX_ID": "de_tax_id", "ES_NIE": "es_nif", "ES_NIF": "es_nif",
    "FI_PERSONAL_IDENTITY_CODE": "fi_hetu", "IN_AADHAAR": "in_aadhaar", "IN_PAN": "in_pan", "IT_FISCAL_CODE": "it_fiscal_code",
    "KR_RRN": "kr_rrn", "PL_PESEL": "pl_pesel", "SE_PERSONNUMMER": "se_personnummer", "TR_NATIONAL_ID": "tr_tckn",
    "UK_NHS": "uk_nhs", "UK_NINO": "uk_nino", "ZA_ID_NUMBER": "za_id", "US_SSN": "us_ssn", "CREDIT_CARD": "card",
    "EMAIL_ADDRESS": "email", "IBAN_CODE": "iban", "MAC_ADDRESS": "mac", "IP_ADDRESS": "ip", "BR_CPF": "br_cpf",
    "BR_CNPJ": "br_cnpj", "RO_CNP": "ro_cnp", "PT_NIF": "pt_nif", "HR_OIB": "hr_oib", "NL_BSN": "nl_bsn", "FR_NIR": "fr_nir",
    "BE_NRN": "be_rrn", "CH_AHV": "ch_ahv",
}


class Ours:
    """Findings of `fieldgate scan`: one process per set of texts."""

    def __init__(self, command):
        self.command = command

    def find(self, texts, entities=None, threshold=None):
        """For each text the (start, end, entity, score) of its findings, in characters."""
        lines, where = [], []
        for index, text in enumerate(texts):
            at = 0
            for line in text.split("\n"):
                lines.append(line.replace("\r", " ").replace("\0", " "))
                where.append((index, at))
                at += len(line) + 1
        data = "\n".join(lines).encode() + b"\n"
        command = list(self.command)
        command += ["--entities", ",".join(entities)] if entities else []
        command += ["--threshold", str(threshold)] if threshold else []
        out = subprocess.run(command, input=data, capture_output=True)
        if out.returncode not in (0, 1):
            sys.exit(f"{command}: {out.stderr.decode()}")
        found = [[] for _ in texts]
        for row in out.stdout.splitlines():
            row = json.loads(row)
            index, at = where[row["line"] - 1]
            line = lines[row["line"] - 1].encode()
            start = at + len(line[: row["start"]].decode())
            end = at + len(line[: row["end"]].decode())
            found[index].append((start, end, row["entity"], row["score"]))
        return found


class Presidio:
    """Presidio's analyzer over its pattern recognisers; a blank pipeline stands in for the language model."""

    def __init__(self):
        import logging

        logging.disable(logging.WARNING)
        import spacy
        import tldextract
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
        from presidio_analyzer.nlp_engine import SpacyNlpEngine

        # Its snapshot of the public suffix list, instead of a fetch.
        extract = tldextract.TLDExtract(suffix_list_urls=())
        tldextract.extract = extract
        engine = SpacyNlpEngine(models=[{"lang_code": "en", "model_name": "blank"}])
        engine.nlp = {"en": spacy.blank("en")}
        registry = RecognizerRegistry()
        registry.load_predefined_recognizers(languages=["en"])
        for recognizer in list(registry.recognizers):
            if "Spacy" in type(recognizer).__name__ or "Ner" in type(recognizer).__name__:
                registry.remove_recognizer(recognizer.name)
        self.analyzer = AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])
        self.seconds, self.bytes = 0.0, 0

    def find(self, texts):
        found = []
        started = time.process_time()
        for text in texts:
            results = self.analyzer.analyze(text, language="en", entities=list(NAMES))
            found.append([(r.start, r.end, NAMES[r.entity_type], r.score) for r in results])
        self.seconds += time.process_time() - started
        self.bytes += sum(len(text.encode()) for text in texts)
        return found


def overlap(a, b):
    return a[0] < b[1] and b[0] < a[1]


def rates(labels, found, entity):
    """Labels, recall by overlap and exact, precision by overlap, findings."""
    hit = exact = total = right = findings = 0
    for gold, hits in zip(labels, found):
        gold = [span for span in gold if span[2] == entity]
        hits = [span for span in hits if span[2] == entity]
        total += len(gold)
        findings += len(hits)
        hit += sum(any(overlap(span, other) for other in hits) for span in gold)
        exact += sum(any(span[:2] == other[:2] for other in hits) for span in gold)
        right += sum(any(overlap(span, other) for other in gold) for span in hits)
    part = lambda n, of: n / of if of else float("nan")
    return total, part(hit, total), part(exact, total), part(right, findings), findings


def sentences(path, half):
    rows = json.load(open(path))
    if half is not None:
        rows = [row for row in rows if int(row["template_id"]) % 2 == half]
    labels = []
    for row in rows:
        spans = row["spans"]
        labels.append([(s["start_position"], s["end_position"], NAMES.get(s["entity_type"])) for s in spans])
    return [row["full_text"] for row in rows], labels


def adversarial(path, half):
    names = {"EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "SOCIAL_SECURITY_NUMBER": "us_ssn", "IP_ADDRESS": "ip"}
    rows = [json.loads(line) for line in open(path)]
    if half is not None:
        rows = [row for index, row in enumerate(rows) if index % 2 == half]
    labels = [[(s["start"], s["end"], names.get(s["type"])) for s in row["spans"]] for row in rows]
    return [row["text"] for row in rows], labels, [row["adv"] for row in rows]


def example_notes(binary, harmless):
    """Notes of the project's own generator: the five core entities of them."""
    command = [binary, "scan", "--example-notes", "2000"] + (["--harmless"] if harmless else [])
    rows = [json.loads(line) for line in subprocess.run(command, capture_output=True, check=True).stdout.splitlines()]
    chars = lambda text, at: len(text.encode()[:at].decode())
    labels = [[(chars(r["text"], l["start"]), chars(r["text"], l["end"]), l["entity"]) for l in r["labels"]] for r in rows]
    return [row["text"] for row in rows], labels


def table(title, labels, engines, entities):
    print(f"\n{title}")
    print(f"  {'entity':8} {'labels':>6}  " + "  ".join(f"{name:>34}" for name in engines))
    print(f"  {'':8} {'':6}  " + "  ".join(f"{'recall':>8}{'exact':>8}{'precision':>10}{'found':>8}" for _ in engines))
    for entity in entities:
        cells = []
        for found in engines.values():
            total, recall, exact, precision, findings = rates(labels, found, entity)
            cells.append(f"{recall:8.3f}{exact:8.3f}{precision:10.3f}{findings:8}")
        if total:
            print(f"  {entity:8} {total:6}  " + "  ".join(cells))


def cases(path, ours, half, verbose):
    """Recogniser cases as Presidio tests its recognisers: one entity, every score."""
    rows = [json.loads(line) for line in open(path)]
    right = wrong = 0
    by = {}
    for entity in sorted({row["entity"] for row in rows} & set(CLAIMED)):
        mine = [row for index, row in enumerate(rows) if row["entity"] == entity and (half is None or index % 2 == half)]
        found = ours.find([row["text"] for row in mine], [CLAIMED[entity]], 1)
        for row, hits in zip(mine, found):
            spans = sorted(tuple(span) for span in row["spans"])
            # Some of Presidio's spans take a space with them.
            bare = lambda a, b: (a + len(row["text"][a:b]) - len(row["text"][a:b].lstrip()), b)
            spans = [bare(*span) for span in spans]
            ok = sorted(hit[:2] for hit in hits) == spans
            right, wrong = right + ok, wrong + (not ok)
            good, total = by.get(entity, (0, 0))
            by[entity] = (good + ok, total + 1)
            if not ok and verbose:
                shape = "".join("9" if c.isdigit() else "A" if c.isupper() else "a" if c.islower() else c for c in row["text"])
                print("   ", entity, repr(shape[:100]), "expected", spans, "found", [hit for hit in hits])
    print(f"\nrecogniser cases, one entity at a time, every score: {right}/{right + wrong} = {right / (right + wrong):.3f}")
    print("  not all right: " + ", ".join(f"{e} {g}/{t}" for e, (g, t) in by.items() if g < t))


def throughput(binary, presidio, texts):
    """Bytes per second of CPU time of both on the same texts and entities; ours again and again, so that starting does not
    count. CPU time, because a busy machine would flatter whoever waits less."""
    size = sum(len(text.encode()) for text in texts)
    ours = Ours([binary, "scan", "-"])
    data = "\n".join(text.replace("\n", " ").replace("\0", " ") for text in texts).encode() + b"\n"
    data *= max(1, BULK_BYTES // len(data))
    spent = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    started = spent()
    subprocess.run(ours.command + ["--entities", ",".join(CORE)], input=data, stdout=subprocess.DEVNULL, check=False)
    fast = len(data) / (spent() - started)
    print(f"\nthroughput on these texts, the five entities above, findings written out\n  fieldgate {fast / 1e6:9.3f} MB/s")
    if presidio:
        slow = presidio.bytes / presidio.seconds
        print(f"  presidio  {slow / 1e6:9.3f} MB/s ({size} bytes)\n  ratio     {fast / slow:9.0f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--fieldgate", default="target/release/fieldgate")
    parser.add_argument("--half", type=int, choices=[0, 1], help="templates with this parity only")
    parser.add_argument("--no-presidio", action="store_true")
    parser.add_argument("--shapes", action="store_true", help="print the shapes (never the texts) of cases that went wrong")
    options = parser.parse_args()
    ours = Ours([options.fieldgate, "scan", "-"])
    presidio = None if options.no_presidio else Presidio()

    seen = []

    def both(texts):
        seen.extend(texts)
        engines = {"fieldgate": ours.find(texts)}
        if presidio:
            engines["presidio"] = presidio.find(texts)
        return engines

    for harmless in [False, True]:
        texts, labels = example_notes(options.fieldgate, harmless)
        engines = both(texts)
        if harmless:
            print(f"\nlines with nothing personal: {len(texts)}")
            for name, found in engines.items():
                flagged = sum(bool(hits) for hits in found)
                print(f"  {name:10} flagged {flagged} = {flagged / max(1, len(texts)):.2%}")
        else:
            table(f"generated notes: {len(texts)}", labels, engines, CORE)
    files = lambda pattern: sorted(glob.glob(os.path.join(options.data, pattern)))
    for path in files("presidio_synth*.json") + files("presidio_generated*.json"):
        texts, labels = sentences(path, options.half)
        engines = both(texts)
        table(f"{os.path.basename(path)}: {len(texts)} sentences", labels, engines, CORE)
        if options.shapes:
            shapes(texts, labels, engines["fieldgate"])
    for path in files("pii_anon_adversarial*.jsonl"):
        texts, labels, kinds = adversarial(path, options.half)
        engines = both(texts)
        table(f"{os.path.basename(path)}: {len(texts)} rows", labels, engines, ["email", "phone", "us_ssn"])
        if options.shapes:
            for kind in sorted(set(kinds)):
                of = lambda rows: [row for row, other in zip(rows, kinds) if other == kind]
                total, recall, _, precision, _ = rates(of(labels), of(engines["fieldgate"]), "email")
                print(f"    {kind:30} {total:4} {recall:.3f} {precision:.3f}")
            shapes(texts, labels, engines["fieldgate"], ["email"])
    for path in files("presidio_recognizer_cases*.jsonl"):
        cases(path, ours, options.half, options.shapes)
    for path in files("datafog_*sparse.txt"):
        text = open(path).read()
        print(f"\n{os.path.basename(path)} (9 e-mails, 9 phones)")
        for name, found in both(text.split("\n")).items():
            count = {}
            for hit in (hit for hits in found for hit in hits):
                count[hit[2]] = count.get(hit[2], 0) + 1
            print(f"  {name:10} {count}")
    throughput(options.fieldgate, presidio, seen)


def shapes(texts, labels, found, entities=CORE):
    """What was missed and what was found too much, as shapes of the surroundings."""
    shape = lambda text: "".join("9" if c.isdigit() else "A" if c.isupper() else "a" if c.islower() else c for c in text)
    for entity in entities:
        for text, gold, hits in zip(texts, labels, found):
            mine = [span for span in hits if span[2] == entity]
            true = [span for span in gold if span[2] == entity]
            for span in true:
                if not any(overlap(span, other) for other in mine):
                    print("    missed", entity, repr(shape(text[max(0, span[0] - 14) : span[1] + 6])), [h[2] for h in hits if overlap(h, span)])
            for span in mine:
                if not any(overlap(span, other) for other in true):
                    print("    extra ", entity, repr(shape(text[max(0, span[0] - 14) : span[1] + 6])), span[3])


if __name__ == "__main__":
    main()
