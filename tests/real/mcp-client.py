"""The official MCP SDK's streamable HTTP client, unchanged, against the gateway in front of the sample CRM's MCP server.

Environment: GATE (URL of the gateway), CA, KEY (the AI assistant's), CRM (URL of the CRM), CRM_CA, TOKEN (its credential).
Prints one line for each claim and exits 1 when one does not hold.
"""

import asyncio
import json
import os
import ssl
import sys
import urllib.request

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

FAILED = []


def claim(text, holds):
    print(f"{'ok  ' if holds else 'FAIL'} {text}")
    if not holds:
        FAILED.append(text)


def held(customer):
    """The customer as the CRM holds it."""
    request = urllib.request.Request(f"{os.environ['CRM']}/api/v1/customers/{customer}")
    request.add_header("X-Api-Token", os.environ["TOKEN"])
    context = ssl.create_default_context(cafile=os.environ["CRM_CA"])
    with urllib.request.urlopen(request, context=context) as answer:
        return json.load(answer)


def secrets(record):
    found = [record["name"], record["email"], record["phone"], record["birth_date"], record["iban"]]
    found += [record["card"]["number"], record["card"]["holder"], record["address"]["street"], *record["name"].split(" ")]
    number = record["card"]["number"]
    return [text for text in found + [" ".join(number[at : at + 4] for at in range(0, 16, 4))] if text]


def texts(result):
    """Everything that a result says, as the client hands it to a model."""
    return result.model_dump_json(by_alias=True)


def shows(result, values):
    said = texts(result)
    return [value for value in values if value in said or json.dumps(value)[1:-1] in said]


async def refused(call):
    try:
        await call
    except MCPError as error:
        return (error.error.data or {}).get("code")
    return None


async def main():
    # A customer with a value in every field.
    whole = lambda record: all(record.get(key) for key in ("phone", "birth_date", "iban", "card", "address"))
    people = [number for number in range(1001, 1040) if whole(held(f"C-{number}"))]
    first, second = f"C-{people[0]}", f"C-{people[1]}"
    truth, other = held(first), held(second)
    progress = []

    async def on_progress(done, total, message):
        progress.append((done, total, message))

    context = ssl.create_default_context(cafile=os.environ["CA"])
    async with httpx2.AsyncClient(verify=context, headers={"Fieldgate-Key": os.environ["KEY"]}) as http:
        async with Client(streamable_http_client(f"{os.environ['GATE']}/mcp", http_client=http)) as client:
            claim("the client connects and initializes", client.server_info.name == "sandbox-crm")
            listed = [tool.name for tool in (await client.list_tools()).tools]
            claim("only mapped and permitted tools are offered", "get_customer" in listed and "drop_database" not in listed)

            result = await client.call_tool("get_customer", {"id": first}, progress_callback=on_progress)
            seen = result.structured_content
            claim("a result comes as a stream with its progress", [done for done, _, _ in progress] == [1])
            claim("the progress message says no address", all(truth["email"] not in (text or "") for _, _, text in progress))
            claim(f"no value of the customer is shown: {shows(result, secrets(truth))}", not shows(result, secrets(truth)))
            claim("names and addresses are pseudonyms", seen["name"].startswith("Person ") and seen["email"].endswith("@pseudonym.invalid"))
            claim("what is plain is plain", seen["loyalty_points"] == truth["loyalty_points"])
            kinds = [item.type for item in result.content]
            claim("every kind of content arrives", kinds == ["text", "text", "resource", "resource", "resource_link", "text"])
            claim("the JSON text is the record", json.loads(result.content[0].text) == seen)
            claim("the embedded resource is the record", json.loads(result.content[2].resource.text) == seen)
            claim("the prose names the pseudonym", seen["name"] in result.content[1].text)

            plain = await client.call_tool("search_customers", {"query": first})
            claim("a search shows the same pseudonym", [item["email"] for item in plain.structured_content["items"]] == [seen["email"]])

            changes = {"email": seen["email"], "name": seen["name"], "notes": "called back"}
            back = await client.call_tool("update_customer", {"id": first, "changes": changes})
            now = held(first)
            claim("a pseudonym written back stays the value it stands for", now["email"] == truth["email"] and now["name"] == truth["name"])
            claim("what else was written is written", now["notes"] == "called back")
            claim("the answer of the update shows no value", not shows(back, secrets(truth)))
            for why, call in [
                ("another record", client.call_tool("update_customer", {"id": second, "changes": {"email": seen["email"]}})),
                ("another field", client.call_tool("update_customer", {"id": first, "changes": {"name": seen["email"]}})),
                ("free text", client.call_tool("add_note", {"id": first, "text": f"mail {seen['email']}"})),
            ]:
                claim(f"a pseudonym in {why} is refused", await refused(call) == "masked_value")
            claim("and the other record is as it was", held(second) == other)
            claim("a tool that is not mapped is refused", await refused(client.call_tool("drop_database", {})) == "unmapped_tool")
            failed = await client.call_tool("fail", {"mail": "jane.roe@example.net"})
            claim("a tool's failure repeats nothing", failed.is_error and not shows(failed, ["jane.roe@example.net"]))
            claim("the session goes on", (await client.call_tool("get_customer", {"id": first})).structured_content["email"] == seen["email"])
    print(f"{'all claims hold' if not FAILED else f'{len(FAILED)} claims failed'}")
    sys.exit(1 if FAILED else 0)


asyncio.run(main())
