// jsforce, unchanged, with its instance URL pointed at the gateway: prints as JSON what it was given.
import assert from "node:assert";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.FG_MODULES}/`);
const jsforce = require("jsforce");

const { FG_HOST: host, FG_KEY: key } = process.env;
const conn = new jsforce.Connection({ instanceUrl: `https://${host}`, accessToken: key, version: "60.0" });
const seen = [];
const note = (call, value) => seen.push({ call, value });

const contact = "0035g00000A0001AAA";
note("retrieve", await conn.sobject("Contact").retrieve(contact));
const page = await conn.query("SELECT Id, Name, Email, Account.Name FROM Contact");
note("query", page);
note("queryMore", await conn.queryMore(page.nextRecordsUrl));
note("case", await conn.sobject("Case").retrieve("5005g00000D0001AAA"));
assert((await conn.sobject("Contact").update({ Id: contact, Phone: "+14155550100" })).success);
assert((await conn.sobject("Case").create({ Subject: "From a client", Status: "New" })).success);
note("describe", (await conn.sobject("Contact").describe()).name);
for (const refused of [
    () => conn.query("SELECT MAX(Secret__c) Id FROM Contact"),
    () => conn.search("FIND {jane} IN ALL FIELDS RETURNING Contact(Id)"),
]) {
    await assert.rejects(refused, (error) => { note("refused", String(error)); return true; });
}
process.stdout.write(JSON.stringify(seen));
