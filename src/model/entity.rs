//! What the detectors look for in free text, and the groups of it that configuration may name.

macro_rules! entities {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What a detector finds in free text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Entity {
            $($(#[$doc])* $variant,)*
        }

        impl Entity {
            /// Every entity.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// The name used in configuration.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

entities! {
    /// Payment card number with a valid Luhn digit (ISO/IEC 7812-1).
    Card = "card",
    /// E-mail address (RFC 5321 local part and domain as people write them).
    Email = "email",
    /// Telephone number (E.164 and national notations).
    Phone = "phone",
    /// IBAN with valid check digits (ISO 13616).
    Iban = "iban",
    /// United States social security number.
    UsSsn = "us_ssn",
    /// Spain: NIF and NIE.
    EsNif = "es_nif",
    /// Italy: codice fiscale.
    ItFiscalCode = "it_fiscal_code",
    /// Germany: Steuerliche Identifikationsnummer.
    DeTaxId = "de_tax_id",
    /// France: numéro de sécurité sociale (NIR).
    FrNir = "fr_nir",
    /// Belgium: Rijksregisternummer.
    BeRrn = "be_rrn",
    /// Netherlands: burgerservicenummer.
    NlBsn = "nl_bsn",
    /// Poland: PESEL.
    PlPesel = "pl_pesel",
    /// Finland: henkilötunnus.
    FiHetu = "fi_hetu",
    /// Sweden: personnummer and samordningsnummer.
    SePersonnummer = "se_personnummer",
    /// South Africa: identity number.
    ZaId = "za_id",
    /// Portugal: NIF.
    PtNif = "pt_nif",
    /// Romania: cod numeric personal.
    RoCnp = "ro_cnp",
    /// Croatia: OIB.
    HrOib = "hr_oib",
    /// Brazil: CPF.
    BrCpf = "br_cpf",
    /// Brazil: CNPJ, numeric and alphanumeric.
    BrCnpj = "br_cnpj",
    /// Canada: social insurance number.
    CaSin = "ca_sin",
    /// Australia: tax file number.
    AuTfn = "au_tfn",
    /// India: Aadhaar.
    InAadhaar = "in_aadhaar",
    /// India: permanent account number.
    InPan = "in_pan",
    /// United Kingdom: NHS number.
    UkNhs = "uk_nhs",
    /// Turkey: T.C. kimlik no.
    TrTckn = "tr_tckn",
    /// Korea: resident registration number.
    KrRrn = "kr_rrn",
    /// Switzerland: AHV/AVS number.
    ChAhv = "ch_ahv",
    /// United Kingdom: national insurance number.
    UkNino = "uk_nino",
    /// Passport number, next to a word that says so.
    Passport = "passport",
    /// Driving licence number, next to a word that says so or of the British form.
    DrivingLicence = "driving_licence",
    /// Date of birth, next to a word that says so.
    BirthDate = "birth_date",
    /// Bank account number that is no IBAN, next to a word that says so.
    BankAccount = "bank_account",
    /// IPv4 or IPv6 address.
    Ip = "ip",
    /// MAC address.
    Mac = "mac",
    /// Password, key or token.
    Secret = "secret",
}

impl Entity {
    /// What is looked for also where no class claims it: it counts as `free_text` then.
    pub const ALWAYS: [Self; 5] = [Self::Card, Self::Email, Self::Phone, Self::Iban, Self::UsSsn];

    /// The names of the groups.
    pub const GROUPS: [&str; 3] = ["national_id", "identity_document", "network_address"];

    /// The entity called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|entity| entity.as_str() == name)
    }

    /// The entities of the group called `name`.
    #[must_use]
    pub fn group(name: &str) -> Option<Vec<Self>> {
        let member: fn(Self) -> bool = match name {
            "national_id" => Self::is_national_id,
            "identity_document" => |entity| matches!(entity, Self::Passport | Self::DrivingLicence),
            "network_address" => |entity| matches!(entity, Self::Ip | Self::Mac),
            _ => return None,
        };
        Some(Self::ALL.into_iter().filter(|entity| member(*entity)).collect())
    }

    /// Whether a state gives the number to a person (or, in Spain, Portugal and Brazil, to a firm) for life.
    #[must_use]
    pub fn is_national_id(self) -> bool {
        (Self::UsSsn..=Self::UkNino).contains(&self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entity_is_found_by_its_name() {
        for entity in Entity::ALL {
            assert_eq!(Entity::named(entity.as_str()), Some(entity));
            assert_eq!(Entity::group(entity.as_str()), None, "a name is an entity's or a group's");
        }
        assert_eq!(Entity::named("shoe_size"), None);
    }

    #[test]
    fn a_group_stands_for_its_entities() {
        let ids = Entity::group("national_id").unwrap();
        assert!(ids.contains(&Entity::PlPesel) && ids.contains(&Entity::UsSsn) && ids.contains(&Entity::UkNino));
        assert!(Entity::GROUPS.iter().all(|name| Entity::group(name).is_some_and(|members| members.len() > 1)));
        assert!(!ids.contains(&Entity::Iban) && !ids.contains(&Entity::Passport));
    }
}
