//! The words of seven languages by what they mean, without accents, in lower case and (where regular) in the singular.

use super::words::Meaning as M;

/// Words of each meaning; a word may stand in several.
pub(super) const LISTS: &[(M, &str)] = &[
    (
        M::EMAIL,
        "email mail emailaddress mailaddress emailadresse mailadresse courriel correo epost emailadres mailadres posteo eml",
    ),
    (
        M::PHONE,
        "phone telephone tel telefon telefono telefone telefoon mobile mobil cell cellular cellphone handy mobiltelefon movil celular \
         cellulare gsm fax pager msisdn whatsapp sms rufnummer telefonnummer mobilnummer handynummer faxnummer telefax festnetz \
         durchwahl telefoonnummer mobiel telemovel mobilephone telephones phones landline portable",
    ),
    (
        M::GIVEN,
        "first last given family middle maiden full preferred legal real birth famille familia completo completa complet second",
    ),
    (M::NAME, "name nom nombre nome naam nam"),
    (
        M::SURNAME,
        "surname firstname lastname middlename fullname forename givenname familyname nickname realname vorname nachname familienname \
         zuname geburtsname rufname spitzname prenom apellido apodo cognome soprannome sobrenome apelido achternaam voornaam roepnaam \
         tussenvoegsel salutation anrede honorific initial fname lname mname gecos cardholder kontoinhaber karteninhaber aanhef \
         civilite tratamiento titular titulaire titolare intestatario alias",
    ),
    (
        M::PERSON,
        "person people persona personne pessoa persoon contact customer user member owner agent lead author creator assignee requester \
         requestor sender recipient attendee participant patient employee guest client caller callee subscriber applicant candidate \
         passenger beneficiary spouse child guardian manager representative rep individual reporter submitter follower watcher collaborator \
         operator staff advisor supervisor prospect buyer consumer resident tenant donor student teacher holder inhaber kontakt kunde \
         kundin benutzer mitarbeiter ansprechpartner absender empfaenger utilisateur proprietaire usuario propietario contacto cliente \
         empleado utente proprietario contatto dipendente contato funcionario gebruiker klant eigenaar medewerker contactpersoon profile \
         organizer host_person player signer payer payee debtor cardmember partner_contact signatory",
    ),
    (
        M::COMPANY,
        "company account organization organisation org enterprise business firm vendor supplier merchant employer corporation brand \
         subsidiary firma unternehmen societe entreprise empresa azienda bedrijf compania sociedad societa partner dealer branch",
    ),
    (
        M::THING,
        "product item file document host domain table column stage pipeline campaign list property role store event field template job \
         class model project tag category group team department queue topic folder list plan price currency bank channel app application \
         service system server bucket key object attribute type method action resource workflow flow form page site view report segment \
         step source sheet tab section schema version territory region_name industry plugin package module integration connector device \
         browser platform language timezone layout widget theme calendar meeting deal opportunity case ticket task note activity call quote \
         order invoice contract asset solution attachment image photo icon logo color unit measure tax discount coupon currency setting \
         option label status priority reason rule trigger macro permission scope token webhook endpoint instance environment tenant_name \
         license feature warehouse shift program course book album song city_code school display technical short variable parameter datei \
         fichier archivo arquivo bestand produkt produit producto prodotto produto",
    ),
    (
        M::ADDRESS,
        "address addr adresse direccion indirizzo endereco adres street str strasse strase rue calle rua straat city town ort stadt ville \
         ciudad citta cidade stad plaats woonplaats wohnort municipality zip zipcode postcode postal postleitzahl plz codepostal \
         codigopostal cap cep anschrift hausnummer huisnummer strassenname apartment apt suite neighborhood neighbourhood suburb pobox \
         postfach postbus domicilio residence locality barrio bairro quartier ortsteil addressline streetaddress logradouro via",
    ),
    (
        M::REGION,
        "state province region county country land pays pais paese staat bundesland kanton canton provincia provincie departement district \
         latitude longitude lat lng lon line building floor house zone subdivision area estado regione regiao stato comune",
    ),
    (
        M::PLACE_NOT_POST,
        "ip mac url web wallet bitcoin blockchain contract ipv remote memory network smtp server host byte shortname",
    ),
    (
        M::NEUTRAL,
        "id ids uid uuid guid type kind status date time timestamp datetime at on by opt out optout optin in is has verified valid enabled \
         disabled flag domain template format label language locale lang provider server port hash size length index version score rate \
         open click frequency count total amount sum currency folder preference permission consent source sort order limit offset position \
         rank weight state code category group setting config configuration count counter day month year hour minute second percent \
         percentage probability ratio bounced bounce sent received created updated deleted modified scheduled expires ttl timezone mode \
         level stage step priority visible visibility hidden private public active archived read required allowed default \
         supported available confirmed validated subscribed unsubscribed blocked changed tracking tracked campaign client_id event events \
         notification notifications reminder header headers footer signature_id encoding charset mime checksum etag cursor page revision \
         rev seq sequence duration interval method operation reference ref parent_id calls unread usage quota arn model typ datum zeitpunkt \
         anzahl fecha data_hora tipo cantidad heure quantite conta_tipo statut estatus tijd aantal identifier extension ext",
    ),
    (
        M::FREE,
        "description note comment body message text content subject summary remark memo bemerkung notiz kommentar beschreibung nachricht \
         betreff anmerkung hinweis nota comentario observacao observacoes observacion remarque opmerking omschrijving messaggio mensaje \
         mensagem mitteilung transcript feedback review detail bio about biography signature caption html plaintext excerpt snippet \
         descripcion descrizione descricao commentaire annotation asunto oggetto assunto onderwerp sujet objet toelichting information info",
    ),
    (
        M::CARD,
        "card creditcard pan kreditkarte kreditkartennummer carte tarjeta carta cartao creditcardnumber cardnumber ccnumber ccnum kaart",
    ),
    (
        M::EXPIRY,
        "expiry expiration exp expires ablaufdatum gueltigbis caducidad vencimiento scadenza vencimento vervaldatum",
    ),
    (M::CVC, "cvc cvv cvn csc cvc2 cvv2 cid_code pruefziffer"),
    (M::IBAN, "iban kontonummer rekeningnummer accountnumber"),
    (
        M::BANK,
        "bank bic swift konto depot sepa ach banking bankverbindung banque banco banca compte cuenta conto conta rekening",
    ),
    (
        M::NATIONAL,
        "ssn socialsecurity sozialversicherungsnummer steuernummer steuerid passport reisepass ausweisnummer personalausweis cpf dni nie \
         nif nir bsn codicefiscale nino personnummer fodselsnummer curp rfc_persona licence_number driverslicense fuehrerschein nhs \
         sin_number aadhaar itin pesel burgerservicenummer",
    ),
    (
        M::BIRTH,
        "birthday birthdate dob dateofbirth geburtsdatum geburtstag fechanacimiento nacimiento naissance datenaissance nascita \
         datanascita nascimento geboortedatum geboorte geb geburt",
    ),
    (
        M::SECRET,
        "password passwd pwd secret passwort kennwort motdepasse contrasena senha wachtwoord passphrase apikey pin",
    ),
    (M::LINK, "next prev previous first last self current href link url uri location pagination paging"),
    (
        M::WRAPPER,
        "data item items result record value values list response payload attribute properties property field embedded edge node \
         entry entity object request input output dto schema model create update read write patch page filter sort base full simple \
         public info detail summary out in set collection array map wrapper envelope body content doc root get post put add include included \
         updated created new query search reference ref embed resource",
    ),
    (
        M::WHICH,
        "primary secondary tertiary work home business personal private main other default billing shipping mailing office alt alternate \
         alternative additional new old current raw normalized formatted preferred original direct daytime evening night emergency \
         internal external public contact1 electronico elettronica eletronico professionnel prive privat geschaeftlich gesch dienst zakelijk \
         particular trabajo casa lavoro trabalho delivery invoice correspondence permanent residential legal principal masked e164 \
         international national clean lower confirm confirmation string list array",
    ),
    (M::NUMBER, "number num no nr nummer numero numeros"),
    (M::CONTENT, "value number formatted raw display string text data full content uri address"),
    (
        M::WRITING,
        "ticket case note task issue activity opportunity deal event meeting conversation message email incident request comment call \
         engagement thread chat post",
    ),
    (M::TITLE, "title titel titre titulo titolo"),
    (M::AFFIX, "prefix suffix"),
    (
        M::LOGIN,
        "username login loginname userid handle screenname benutzername identifiant nickname skype twitter linkedin facebook instagram",
    ),
];
