//! What several documents showed, as one list: a record that was seen twice is one sighting.

use crate::model::Sighting;

/// Sightings of one record are one, in the order of their first.
pub(super) fn merged(sightings: Vec<Sighting>) -> Vec<Sighting> {
    let mut all: Vec<Sighting> = Vec::with_capacity(sightings.len());
    for one in sightings {
        match all.iter_mut().find(|known| known.subject == one.subject) {
            None => all.push(one),
            Some(known) => {
                known.reveal = known.reveal.union(one.reveal);
                known.mask = known.mask.union(one.mask);
                known.pseudonym = known.pseudonym.union(one.pseudonym);
                known.redact = known.redact.union(one.redact);
                known.capped = known.capped.union(one.capped);
            }
        }
    }
    all
}
