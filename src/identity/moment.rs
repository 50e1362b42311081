//! Dates and numeric dates in, timestamps out.

use jiff::{civil::Date, tz::TimeZone};
use serde_json::Value;

use crate::model::Timestamp;

/// The end of validity that `text` names: a date means the end of that day in UTC, a date and time (RFC 3339) itself.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let instant = if text.len() == DATE_CHARS {
        let next = text.parse::<Date>().ok()?.tomorrow().ok()?;
        TimeZone::UTC.to_timestamp(next.at(0, 0, 0, 0)).ok()?
    } else {
        text.parse::<jiff::Timestamp>().ok()?
    };
    Some(Timestamp::from_micros(instant.as_microsecond()))
}

/// A `NumericDate` (RFC 7519 §2): seconds since the epoch, also with a fraction; not before it and not past year 9999.
pub(super) fn numeric(value: &Value) -> Option<Timestamp> {
    if let Some(seconds) = value.as_i64() {
        return (0..=LAST_SECOND).contains(&seconds).then(|| Timestamp::from_seconds(seconds));
    }
    let seconds = value.as_f64().filter(|seconds| (0.0..=LAST_SECOND as f64).contains(seconds))?;
    Some(Timestamp::from_micros((seconds * 1e6) as i64))
}

const DATE_CHARS: usize = "2027-03-31".len();

/// 9999-12-31T23:59:59Z.
const LAST_SECOND: i64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_date_lasts_until_its_end_and_an_instant_is_itself() {
        let shown = |text| parse(text).map(|moment| moment.to_string());
        assert_eq!(shown("2027-03-31").as_deref(), Some("2027-04-01T00:00:00.000000Z"));
        assert_eq!(shown("2027-03-31T12:00:00+02:00").as_deref(), Some("2027-03-31T10:00:00.000000Z"));
        for wrong in ["", "2027-02-30", "tomorrow", "2027-03-31T12:00:00", "20270331"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn numeric_dates_have_a_range() {
        assert_eq!(numeric(&json!(10)), Some(Timestamp::from_seconds(10)));
        assert_eq!(numeric(&json!(1.5)), Some(Timestamp::from_micros(1_500_000)));
        assert_eq!(numeric(&json!(LAST_SECOND)), Some(Timestamp::from_seconds(LAST_SECOND)));
        for wrong in [json!(-1), json!(LAST_SECOND + 1), json!(1e300), json!("10"), json!(null), json!(u64::MAX)] {
            assert_eq!(numeric(&wrong), None, "{wrong}");
        }
    }
}
