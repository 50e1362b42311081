//! Word lists of the generated people and the sentences of their tickets. No real person: names are common ones, e-mail
//! domains and telephone ranges are those reserved for examples, cards are from published test ranges.

pub(super) const FIRST: &[&str] = &[
    "Jürgen",
    "Zoë",
    "Renée",
    "Łukasz",
    "Søren",
    "Anna-Lena",
    "José",
    "María",
    "Siân",
    "Björn",
    "Chloé",
    "Günther",
    "Noémie",
    "Tomáš",
    "Ayşe",
    "Thị Mai",
    "Óscar",
    "Małgorzata",
    "Jane",
    "Robert",
    "Priya",
    "Kwame",
    "Fatima",
    "Liam",
    "Olivia",
    "Noah",
    "Emma",
    "Mohammed",
    "Sofia",
    "Hiroshi",
    "Mei",
    "Aleksandra",
    "Pieter",
    "Femke",
    "Marie-Claire",
    "Jean-Luc",
    "Sean",
    "Aoife",
    "Deborah",
    "Winston",
];

pub(super) const LAST: &[&str] = &[
    "Müller",
    "O'Brien",
    "D'Angelo",
    "Lefèvre",
    "Wójcik",
    "Kjærgård",
    "Groß",
    "van der Berg",
    "Fernández",
    "O’Neill",
    "Nuñez",
    "Öztürk",
    "Nguyễn",
    "Dvořák",
    "Saint-Exupère",
    "Smith",
    "Jones",
    "Patel",
    "Mensah",
    "Haddad",
    "Walker",
    "Johnson",
    "Tanaka",
    "Chen",
    "Kowalska",
    "de Vries",
    "Bakker",
    "Dubois",
    "Moreau",
    "Schmidt",
    "Weiß",
    "Becker",
    "McAllister",
    "MacDonald",
    "Åkesson",
    "Ibáñez",
    "Šimić",
    "L'Hôte",
    "Evans",
    "Clarke",
];

pub(super) const DOMAINS: &[&str] = &["example.com", "example.org", "example.net", "mail.example", "post.example.com"];

pub(super) const PRODUCTS: &[(&str, &str, u64)] = &[
    ("KB-0101", "Mechanical keyboard", 8_990),
    ("MS-0204", "Travel mouse", 2_450),
    ("CB-3300", "USB-C cable 2 m", 990),
    ("HD-8810", "Noise-cancelling headset", 19_900),
    ("BP-4400", "Rucksack „Straße“ 20 l", 6_495),
    ("CF-0007", "Café mug – 350 ml", 1_250),
    ("LP-1200", "Desk lamp", 4_999),
    ("NB-0005", "Notebook A5, dotted", 795),
];

pub(super) const TAGS: &[&str] =
    &["vip", "newsletter", "b2b", "late-payer", "gdpr-request", "übersee", "beta", "returns"];

pub(super) const STATUSES: &[&str] = &["open", "pending", "solved", "closed"];

pub(super) const PRIORITIES: &[&str] = &["low", "normal", "high", "urgent"];

pub(super) const AGENTS: &[&str] = &["Support Desk", "Ines Ortega", "Ravi Shah", "Léa Martin"];

/// A country as the sample data needs it.
pub(super) struct Country {
    /// ISO 3166-1 alpha-2.
    pub(super) code: &'static str,
    /// E.164 prefix, national prefix and separators, digits to fill: ranges that regulators reserve for fiction where one exists.
    pub(super) phone: (&'static str, &'static str, usize),
    /// Account bank part and digits to fill for an IBAN; absent where the country has none.
    pub(super) iban: Option<(&'static str, usize)>,
    pub(super) cities: &'static [(&'static str, &'static str)],
    pub(super) streets: &'static [&'static str],
    /// The house number stands before the street.
    pub(super) number_first: bool,
}

pub(super) const COUNTRIES: &[Country] = &[
    Country {
        code: "DE",
        phone: ("+493023125", "030 23125-", 3),
        iban: Some(("37040044", 10)),
        cities: &[("Berlin", "10115"), ("Köln", "50667"), ("München", "80331"), ("Düsseldorf", "40213")],
        streets: &["Bahnhofstraße", "Lindenallee", "Am Grünen Weg", "Goethestr."],
        number_first: false,
    },
    Country {
        code: "GB",
        phone: ("+447700900", "07700 900", 3),
        iban: Some(("WEST123456", 8)),
        cities: &[("London", "EC1A 1BB"), ("Leeds", "LS1 4DY"), ("Llandudno", "LL30 2NN")],
        streets: &["High Street", "St John's Road", "Queen's Gate", "Mill Lane"],
        number_first: true,
    },
    Country {
        code: "FR",
        phone: ("+336399800", "06 39 98 00 ", 2),
        iban: Some(("2004101005", 13)),
        cities: &[("Paris", "75011"), ("Orléans", "45000"), ("Saint-Étienne", "42000")],
        streets: &["rue de l'Église", "avenue Victor-Hugo", "chemin des Prés"],
        number_first: true,
    },
    Country {
        code: "NL",
        phone: ("+312079401", "020 794 01", 2),
        iban: Some(("ABNA", 10)),
        cities: &[("Amsterdam", "1012 JS"), ("'s-Hertogenbosch", "5211 AA"), ("Utrecht", "3511 LX")],
        streets: &["Prinsengracht", "Dorpsstraat", "Oude Kerkhof"],
        number_first: false,
    },
    Country {
        code: "US",
        phone: ("+141555501", "(415) 555-01", 2),
        iban: None,
        cities: &[("Springfield, IL", "62704"), ("San José, CA", "95112"), ("Boston, MA", "02108")],
        streets: &["Main St", "Martin Luther King Jr. Blvd", "Maple Ave Apt 4B"],
        number_first: true,
    },
];

pub(super) const SUBJECTS: &[&str] = &[
    "Double charge on card ending {last4}",
    "Please change my e-mail to {email}",
    "Order {order} has not arrived",
    "Refund to {iban}?",
    "Callback requested: {phone}",
    "Cannot log in",
    "{name}: wrong delivery address",
    "Rechnung fehlt",
    "Question about warranty",
];

/// Sentences for tickets, comments and notes; what stands in braces is filled in and counted as personal.
pub(super) const SENTENCES: &[&str] = &[
    "Hi, I was charged twice on my card {card}, please refund one of the payments.",
    "My new card is {card}, valid until {expiry}, could you update it before the next invoice?",
    "You can reach me at {phone} after 6 pm or write to {email}.",
    "The confirmation went to {email} but I never got the goods for order {order}.",
    "For verification: my SSN is {ssn} and I was born on {date}.",
    "Please send the money to {iban}, account holder {name}.",
    "Customer called from {phone} and read out the card number {card} over the telephone.",
    "She says the last payment with {card} was declined; the bank says it was not.",
    "Bitte rufen Sie mich unter {phone} zurück, Kundennummer {customer}.",
    "Meine IBAN lautet {iban}; die Karte {card} ist gesperrt.",
    "Mon adresse e-mail est désormais {email}, merci de la mettre à jour.",
    "Identity check passed with social security number {ssn}.",
    "My husband {name} ordered it with his own card ({card}).",
    "The parcel 00340434161094042557 is stuck at the depot since 2026-01-12.",
    "I tried version 10.4.2 of the app on 192.0.2.17, error code 0x80070057.",
    "It worked on the 3rd try :-) thanks a lot!",
    "The screen says \"payment method invalid\" and then goes back to the basket.\nNothing else happens.",
    "Paid 1 299,00 € on 12/01/2026, invoice 2026-000417, still waiting.",
    "Contact: {name} <{email}>, tel. {phone}.",
    "Ich wohne jetzt in {city}, bitte ändern Sie die Lieferadresse. 🙏",
];
