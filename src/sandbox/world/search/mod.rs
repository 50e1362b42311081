//! Five search dialects over the same records, each read and evaluated by itself: SOQL, OData, Zendesk, HubSpot and
//! TicketSQL.

mod compare;
mod hubspot;
mod odata;
mod odata_filter;
mod scan;
mod soql;
mod soql_query;
#[cfg(test)]
mod tests;
mod ticket_sql;
mod tree;
mod zendesk;

pub(super) use compare::{Nulls, same};
pub(super) use hubspot::search as hubspot;
pub(super) use odata::answer as odata;
pub(super) use soql::search as soql;
pub(super) use ticket_sql::search as ticket_sql;
pub(super) use zendesk::search as zendesk;
