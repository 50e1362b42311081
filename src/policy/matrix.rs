//! What policies amount to: who gets which view of which class, as a text table, CSV or JSON.

use std::{fmt::Write, net::IpAddr};

use serde::Serialize;

use crate::model::{Action, ClassSet, Timestamp};

use super::{Denied, Policy, Question, Seat};

/// The situation a matrix is made for.
#[derive(Debug, Clone)]
pub struct MatrixSettings<'a> {
    /// The columns.
    pub classes: ClassSet,
    /// The resources asked about; each with every action.
    pub resources: Vec<&'a str>,
    /// The actions asked about.
    pub actions: Vec<Action>,
    /// The purpose stated.
    pub purpose: Option<&'a str>,
    /// Whether a case is named.
    pub case: bool,
    /// `context.route`.
    pub route: &'a str,
    /// `context.upstream`.
    pub upstream: &'a str,
    /// The time.
    pub now: Timestamp,
    /// Where the caller comes from.
    pub network: IpAddr,
}

/// Who gets which view of which class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// The class of each column.
    pub classes: Vec<String>,
    /// One row for each resource, action and seat, in this order.
    pub rows: Vec<Row>,
}

/// What one seat gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The seat's name.
    pub seat: String,
    /// The resource.
    pub resource: String,
    /// The action.
    pub action: &'static str,
    /// `permit`, or the code of the refusal: `forbidden`, `purpose_required`, `unknown_purpose`.
    pub decision: &'static str,
    /// The purposes that would permit it, when it is refused without one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub purposes: Vec<String>,
    /// Whether such a purpose needs a case too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub needs_case: bool,
    /// The view of each column's class; empty when the action is refused.
    pub views: Vec<&'static str>,
}

impl Policy {
    /// The views of `seats` for each resource and action of `settings`.
    #[must_use]
    pub fn matrix(&self, settings: &MatrixSettings<'_>, seats: &[Seat]) -> Matrix {
        let classes = settings.classes.iter().map(|class| self.classes.name(class).to_owned()).collect();
        let mut rows = Vec::new();
        for resource in &settings.resources {
            for action in &settings.actions {
                rows.extend(seats.iter().map(|seat| self.row(settings, seat, resource, *action)));
            }
        }
        Matrix { classes, rows }
    }

    fn row(&self, settings: &MatrixSettings<'_>, seat: &Seat, resource: &str, action: Action) -> Row {
        let question = Question {
            principal: &seat.principal,
            action,
            resource,
            route: settings.route,
            upstream: settings.upstream,
            classes: settings.classes,
            purpose: settings.purpose,
            case: settings.case,
            now: settings.now,
            network: settings.network,
        };
        let mut row = Row {
            seat: seat.name.clone(),
            resource: resource.to_owned(),
            action: action.as_str(),
            decision: "permit",
            purposes: Vec::new(),
            needs_case: false,
            views: Vec::new(),
        };
        match self.decide(&question) {
            Ok(permit) => {
                row.views = settings.classes.iter().map(|class| permit.views().get(class).as_str()).collect();
            }
            Err(denied) => {
                row.decision = denied.code();
                if let Denied::PurposeRequired { codes, needs_case, .. } = &denied {
                    row.purposes = codes.iter().map(|code| code.to_string()).collect();
                    row.needs_case = *needs_case;
                }
            }
        }
        row
    }
}

impl Matrix {
    /// One table for each resource and action, for people.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for group in self.rows.chunk_by(|a, b| (&a.resource, a.action) == (&b.resource, b.action)) {
            if let Some(first) = group.first() {
                let gap = if text.is_empty() { "" } else { "\n" };
                let _ = writeln!(text, "{gap}{} {}", first.action, first.resource);
            }
            self.table(group, &mut text);
        }
        text
    }

    fn table(&self, group: &[Row], text: &mut String) {
        let seats = group.iter().map(|row| row.seat.chars().count()).chain([4]).max().unwrap_or_default();
        // `pseudonym` is the longest view.
        let widths: Vec<usize> = self.classes.iter().map(|class| class.chars().count().max(9)).collect();
        let mut line = format!("  {:seats$}", "seat");
        for (class, width) in self.classes.iter().zip(&widths) {
            let _ = write!(line, "  {class:width$}");
        }
        let _ = writeln!(text, "{}", line.trim_end());
        for row in group {
            let mut line = format!("  {:seats$}", row.seat);
            for (view, width) in row.views.iter().zip(&widths) {
                let _ = write!(line, "  {view:width$}");
            }
            if row.decision != "permit" {
                let _ = write!(line, "  {}", row.refusal());
            }
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }

    /// RFC 4180 with a header line: `seat,resource,action,decision,purposes,needs_case` and a column for each class.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let head = ["seat", "resource", "action", "decision", "purposes", "needs_case"].into_iter();
        let mut text = String::new();
        record(&mut text, head.chain(self.classes.iter().map(String::as_str)));
        for row in &self.rows {
            let purposes = row.purposes.join(" ");
            let needs_case = if row.needs_case { "true" } else { "false" };
            let head = [&*row.seat, &*row.resource, row.action, row.decision, &*purposes, needs_case].into_iter();
            let views = row.views.iter().copied().chain(std::iter::repeat("")).take(self.classes.len());
            record(&mut text, head.chain(views));
        }
        text
    }

    /// `{"classes": […], "rows": [{"seat", "resource", "action", "decision", "views": […]}]}`.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

impl Row {
    fn refusal(&self) -> String {
        match self.purposes.as_slice() {
            [] if self.decision == "unknown_purpose" => "refused: unknown purpose".to_owned(),
            [] => "refused".to_owned(),
            codes => {
                let case = if self.needs_case { ", with a case" } else { "" };
                format!("refused without a purpose: {}{case}", codes.join(" or "))
            }
        }
    }
}

fn record<'a>(text: &mut String, fields: impl Iterator<Item = &'a str>) {
    for (index, field) in fields.enumerate() {
        if index > 0 {
            text.push(',');
        }
        if field.contains(['"', ',', '\r', '\n']) {
            let _ = write!(text, "\"{}\"", field.replace('"', "\"\""));
        } else {
            text.push_str(field);
        }
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::shipped::{classes, shipped};
    use super::*;

    fn matrix() -> Matrix {
        let policy = shipped();
        let classes = ["name", "card_number"].into_iter().filter_map(|name| classes().id(name)).collect();
        let settings = MatrixSettings {
            classes,
            resources: vec!["customer"],
            actions: vec![Action::Read, Action::Export],
            purpose: None,
            case: false,
            route: "",
            upstream: "",
            now: Timestamp::default(),
            network: Ipv4Addr::LOCALHOST.into(),
        };
        policy.matrix(&settings, &policy.seats())
    }

    #[test]
    fn the_text_table_lines_up_and_says_what_is_refused() {
        let expected = "\
read customer
  seat                              name       card_number
  agent                             reveal     mask
  ai_assistant (ai) for agent       pseudonym  pseudonym
  ai_assistant (ai) for auditor     pseudonym  pseudonym
  ai_assistant (ai) for supervisor  pseudonym  pseudonym
  auditor                           mask       mask
  supervisor                        reveal     mask

export customer
  seat                              name       card_number
  agent                             refused
  ai_assistant (ai) for agent       refused
  ai_assistant (ai) for auditor     refused
  ai_assistant (ai) for supervisor  refused
  auditor                           refused
  supervisor                        refused without a purpose: fraud_investigation or data_subject_request
";
        assert_eq!(matrix().to_text(), expected);
    }

    #[test]
    fn csv_and_json_say_the_same() {
        let matrix = matrix();
        let csv = matrix.to_csv();
        let lines: Vec<_> = csv.split("\r\n").collect();
        assert_eq!(lines[0], "seat,resource,action,decision,purposes,needs_case,name,card_number");
        assert_eq!(lines[1], "agent,customer,read,permit,,false,reveal,mask");
        let purposes = "fraud_investigation data_subject_request";
        assert_eq!(lines[12], format!("supervisor,customer,export,purpose_required,{purposes},false,,"));
        let json: serde_json::Value = serde_json::from_str(&matrix.to_json()).unwrap();
        assert_eq!(json["classes"], serde_json::json!(["name", "card_number"]));
        let rows = json["rows"].as_array().unwrap();
        assert_eq!((rows.len(), lines.len()), (12, 14));
        assert_eq!(rows[0]["views"], serde_json::json!(["reveal", "mask"]));
        assert_eq!(rows[11]["purposes"], serde_json::json!(["fraud_investigation", "data_subject_request"]));
    }

    #[test]
    fn csv_fields_are_quoted_when_they_must_be() {
        let mut text = String::new();
        record(&mut text, ["a,b", "say \"x\"", "c"].into_iter());
        assert_eq!(text, "\"a,b\",\"say \"\"x\"\"\",c\r\n");
    }
}
