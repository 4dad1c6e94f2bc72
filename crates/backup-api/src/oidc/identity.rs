//! Who came, out of the provider's claims.

use openidconnect::core::CoreGenderClaim;
use openidconnect::{AdditionalClaims, IdTokenClaims, IssuerUrl, StandardClaims, UserInfoClaims};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::OidcError;

/// Characters that a subject may have (OpenID Connect Core, section 2).
const MAX_SUBJECT: usize = 255;

/// Characters that an e-mail address may have.
const MAX_EMAIL: usize = 254;

/// Characters of a name that are kept.
const MAX_NAME: usize = 200;

/// The claim `groups`, in whichever form.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct GroupsClaim {
    #[serde(default)]
    groups: Option<Value>,
}

impl AdditionalClaims for GroupsClaim {}

impl GroupsClaim {
    /// A list of names, or one name. What is no text is not the name of a group.
    fn names(&self) -> Option<Vec<String>> {
        match self.groups.as_ref()? {
            Value::String(name) => Some(vec![name.clone()]),
            Value::Array(names) => Some(names.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
            _ => None,
        }
    }
}

/// The claims of an ID token.
pub(super) type TokenClaims = IdTokenClaims<GroupsClaim, CoreGenderClaim>;

/// What the provider says of the bearer of an access token.
pub(super) type InfoClaims = UserInfoClaims<GroupsClaim, CoreGenderClaim>;

/// Who came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Identity {
    /// The issuer and its subject: no other provider's subject is taken for this one.
    pub(crate) subject: String,
    /// The e-mail address, where it is one.
    pub(crate) email: Option<String>,
    /// Whether the provider says that the address is the person's own.
    pub(crate) email_is_verified: bool,
    /// What the person is called.
    pub(crate) name: Option<String>,
    /// The groups; `None`: the provider says nothing of groups.
    pub(crate) groups: Option<Vec<String>>,
}

impl Identity {
    /// What a verified ID token says.
    pub(super) fn of_token(issuer: &IssuerUrl, claims: &TokenClaims) -> Result<Self, OidcError> {
        let subject = claims.subject().as_str();
        if subject.is_empty() || subject.len() > MAX_SUBJECT || subject.chars().any(char::is_control) {
            return Err(OidcError::Refused("the subject is none".to_owned()));
        }
        let mut identity = Self {
            subject: format!("{}|{subject}", issuer.as_str()),
            ..Self::default()
        };
        let name = claims.name().and_then(|name| name.get(None));
        identity.add(
            claims.email().map(|email| email.as_str()),
            claims.email_verified(),
            name.map(|name| name.as_str()),
            claims.preferred_username().map(|name| name.as_str()),
            claims.additional_claims(),
        );
        Ok(identity)
    }

    /// The same, with what the ID token left out: many providers keep it for those who ask with the access token.
    pub(super) fn with(mut self, info: &InfoClaims) -> Self {
        let claims: &StandardClaims<CoreGenderClaim> = info.standard_claims();
        let name = claims.name().and_then(|name| name.get(None));
        self.add(
            claims.email().map(|email| email.as_str()),
            claims.email_verified(),
            name.map(|name| name.as_str()),
            claims.preferred_username().map(|name| name.as_str()),
            info.additional_claims(),
        );
        self
    }

    // An address and its verification belong together: neither is completed from elsewhere.
    fn add(
        &mut self,
        email: Option<&str>,
        is_verified: Option<bool>,
        name: Option<&str>,
        user_name: Option<&str>,
        groups: &GroupsClaim,
    ) {
        if self.email.is_none() {
            self.email = email.and_then(clean_email);
            self.email_is_verified = self.email.is_some() && is_verified == Some(true);
        }
        if self.name.is_none() {
            self.name = name.or(user_name).and_then(clean_name);
        }
        if self.groups.is_none() {
            self.groups = groups.names();
        }
    }

    /// What a user of this person is called.
    pub(crate) fn display_name(&self) -> String {
        let of_email = || self.email.as_ref()?.split('@').next().map(str::to_owned);
        self.name.clone().or_else(of_email).unwrap_or_default()
    }
}

fn clean_email(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let is_one = text.contains('@')
        && text.len() <= MAX_EMAIL
        && !text.chars().any(|char| char.is_control() || char.is_whitespace());
    is_one.then_some(text)
}

fn clean_name(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|char| !char.is_control()).take(MAX_NAME).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(json: &str) -> TokenClaims {
        let mut all = serde_json::json!({ "iss": "https://id.example.org", "aud": "backup", "exp": 2, "iat": 1 });
        let more: Value = serde_json::from_str(json).unwrap();
        for (name, value) in more.as_object().unwrap() {
            all[name] = value.clone();
        }
        serde_json::from_value(all).unwrap()
    }

    fn identity(json: &str) -> Result<Identity, OidcError> {
        let issuer = IssuerUrl::new("https://id.example.org".to_owned()).unwrap();
        Identity::of_token(&issuer, &claims(json))
    }

    #[test]
    fn groups_come_in_many_forms() {
        for (claim, groups) in [
            (r#""groups": ["a", 7, "b"]"#, Some(vec!["a", "b"])),
            (r#""groups": "a""#, Some(vec!["a"])),
            (r#""groups": []"#, Some(vec![])),
            (r#""groups": {"a": true}"#, None),
            (r#""groups": null"#, None),
            (r#""other": 1"#, None),
        ] {
            let identity = identity(&format!(r#"{{"sub": "1", {claim}}}"#)).unwrap();
            let groups = groups.map(|names| names.into_iter().map(str::to_owned).collect());
            assert_eq!(identity.groups, groups, "{claim}");
        }
    }

    #[test]
    fn what_is_not_said_to_be_verified_is_not() {
        for (claim, email, verified) in [
            (
                r#""email": " A@b.example", "email_verified": true"#,
                Some("a@b.example"),
                true,
            ),
            (
                r#""email": "a@b.example", "email_verified": false"#,
                Some("a@b.example"),
                false,
            ),
            (r#""email": "a@b.example""#, Some("a@b.example"), false),
            (r#""email": "a b@b.example", "email_verified": true"#, None, false),
            (r#""email_verified": true"#, None, false),
        ] {
            let identity = identity(&format!(r#"{{"sub": "1", {claim}}}"#)).unwrap();
            assert_eq!(
                (identity.email.as_deref(), identity.email_is_verified),
                (email, verified),
                "{claim}"
            );
        }
    }

    #[test]
    fn a_subject_counts_with_its_issuer() {
        assert_eq!(identity(r#"{"sub": "1"}"#).unwrap().subject, "https://id.example.org|1");
        assert!(identity(&format!(r#"{{"sub": "{}"}}"#, "x".repeat(256))).is_err());
        assert!(identity(r#"{"sub": ""}"#).is_err());
        let named = identity(r#"{"sub": "1", "preferred_username": "anna", "email": "b@c.example"}"#);
        assert_eq!(named.unwrap().display_name(), "anna");
    }
}
