"""Real CRM clients, unchanged, with their base URL pointed at the gateway: each prints as JSON what it was given.

Their credential is the caller's API key; the gateway has the CRM's own. Started by tests/it/clients.rs.
"""

import json
import os
import sys

HOST, CA, KEY = os.environ["FG_HOST"], os.environ["FG_CA"], os.environ["FG_KEY"]
seen = []


def note(name, value):
    seen.append({"call": name, "value": value})


def salesforce():
    from simple_salesforce import Salesforce
    from simple_salesforce.exceptions import SalesforceError

    sf = Salesforce(instance_url=f"https://{HOST}", session_id=KEY, version="60.0")
    contact = "0035g00000A0001AAA"
    note("get", sf.Contact.get(contact))
    note("get_by_custom_id", sf.Contact.get_by_custom_id("CustomExtIdField__c", "11999"))
    pages = sf.query_all("SELECT Id, Name, Email, Account.Name FROM Contact")
    assert len(pages["records"]) == 3, pages["totalSize"]
    note("query_all", pages)
    note("case", sf.Case.get("5005g00000D0001AAA"))
    assert sf.Contact.update(contact, {"Phone": "+14155550100"}) == 204
    assert sf.Case.create({"Subject": "From a client", "Status": "New"})["success"]
    note("describe", sf.Contact.describe()["name"])
    note("limits", sf.limits()["DailyApiRequests"]["Max"])
    for refused in (
        lambda: sf.search("FIND {jane} IN ALL FIELDS RETURNING Contact(Id)"),
        lambda: sf.query("SELECT MAX(Secret__c) Id FROM Contact"),
        lambda: sf.Contact.update(contact, {"Secret__c": "x"}),
    ):
        try:
            refused()
        except SalesforceError as error:
            note("refused", str(error))
        else:
            raise AssertionError("what the map does not know was served")


def hubspot():
    from hubspot import Client
    from hubspot.crm.contacts import (
        BatchReadInputSimplePublicObjectId,
        Filter,
        FilterGroup,
        PublicObjectSearchRequest,
        SimplePublicObjectInput,
    )

    client = Client.create(access_token=KEY, host=f"https://{HOST}", ssl_ca_cert=CA)
    contacts = client.crm.contacts
    note("get_page", contacts.basic_api.get_page(limit=2, properties=["email", "firstname"]).to_dict())
    one = contacts.basic_api.get_by_id("51", properties=["email"], properties_with_history=["email"])
    note("get_by_id", one.to_dict())
    wanted = Filter(property_name="lifecyclestage", operator="EQ", value="lead")
    groups = [FilterGroup(filters=[wanted])]
    search = PublicObjectSearchRequest(filter_groups=groups, properties=["email"], limit=10)
    found = contacts.search_api.do_search(public_object_search_request=search)
    assert found.total == 2
    note("search", found.to_dict())
    batch = BatchReadInputSimplePublicObjectId(
        properties=["email"], properties_with_history=[], inputs=[{"id": "56"}]
    )
    note("batch", contacts.batch_api.read(batch_read_input_simple_public_object_id=batch).to_dict())
    change = SimplePublicObjectInput(properties={"phone": "+14155550100"})
    note("update", contacts.basic_api.update("51", simple_public_object_input=change).to_dict())
    note("company", client.crm.companies.basic_api.get_by_id("9001").to_dict())
    note("ticket", client.crm.tickets.basic_api.get_by_id("31").to_dict())
    note("note", client.crm.objects.notes.basic_api.get_by_id("41").to_dict())


def zendesk():
    from zenpy import Zenpy
    from zenpy.lib.exception import APIException

    # The client writes `https://{subdomain}.{domain}/api/v2`.
    subdomain, domain = HOST.split(".", 1)
    zenpy = Zenpy(subdomain=subdomain, domain=domain, oauth_token=KEY)
    note("ticket", zenpy.tickets(id=35).to_dict())
    note("comments", [comment.to_dict() for _, comment in zip(range(2), zenpy.tickets.comments(35))])
    note("audits", [audit.to_dict() for _, audit in zip(range(1), zenpy.tickets.audits(35))])
    note("user", zenpy.users(id=1).to_dict())
    note("me", zenpy.users.me().to_dict())
    note("search", [found.to_dict() for _, found in zip(range(3), zenpy.search("refund", type="ticket"))])
    # An agent exports nothing: policy says so, and the client hears it as an error of the API.
    try:
        next(zenpy.tickets.incremental(start_time=1332034771))
    except APIException as error:
        assert "forbidden" in str(error), error
        note("refused", str(error))
    else:
        raise AssertionError("an agent could export")


{"salesforce": salesforce, "hubspot": hubspot, "zendesk": zendesk}[sys.argv[1]]()
json.dump(seen, sys.stdout, default=str)
