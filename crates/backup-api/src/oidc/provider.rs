//! The provider: what it publishes of itself, remembered for a while, and what we ask it.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backup_core::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreResponseType,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessToken, AuthType, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret,
    CsrfToken, DiscoveryError, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest,
    IdTokenFields, IdTokenVerifier, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, SignatureVerificationError, StandardErrorResponse, StandardTokenResponse, TokenResponse,
    UserInfoError,
};
use secrecy::ExposeSecret;
use tokio::time::timeout;
use url::Url;

use super::flow::Flow;
use super::http::{Http, HttpError};
use super::identity::{GroupsClaim, Identity, InfoClaims};
use super::{OidcError, OidcSettings};

/// How long what the provider publishes is taken for true.
const FRESH: TimeDelta = TimeDelta::hours(1);

/// How often it is asked at the most for keys that it did not publish before.
const PAUSE_FOR_KEYS: TimeDelta = TimeDelta::minutes(1);

/// How long a provider that failed is left alone: who comes meanwhile is told at once.
const PAUSE_AFTER_FAILURE: TimeDelta = TimeDelta::seconds(3);

/// How long asking for what it publishes may take altogether.
const LOAD_LIMIT: Duration = Duration::from_secs(10);

/// Signatures that only the holder of a private key can make. Those by the client's secret are left out: then whoever
/// reads our settings could make anybody an administrator.
const SIGNATURES: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

type Tokens = StandardTokenResponse<
    IdTokenFields<
        GroupsClaim,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

/// The library's own client, but for the claim `groups`.
type Client = openidconnect::Client<
    GroupsClaim,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What the provider published.
struct Known {
    client: Client,
    http: Http,
    /// The scopes that we ask for, beside `openid`.
    scopes: Vec<&'static str>,
    since: DateTime<Utc>,
}

/// The provider of the settings. Nothing is asked of it before somebody wants to log in.
pub(crate) struct Provider {
    settings: OidcSettings,
    clock: Arc<dyn Clock>,
    known: Mutex<Option<Arc<Known>>>,
    /// Held by the one who asks; when asking failed last.
    failed: tokio::sync::Mutex<Option<DateTime<Utc>>>,
}

impl Provider {
    pub(crate) fn new(settings: OidcSettings, clock: Arc<dyn Clock>) -> Self {
        Self {
            settings,
            clock,
            known: Mutex::default(),
            failed: tokio::sync::Mutex::default(),
        }
    }

    /// The group whose members are ADMIN, where groups decide.
    pub(super) fn admin_group(&self) -> Option<&str> {
        self.settings.admin_group.as_deref()
    }

    /// Whether `issuer` is the provider's name.
    pub(super) fn is_issuer(&self, issuer: &str) -> bool {
        self.settings.issuer.as_str() == issuer
    }

    /// Where the browser is sent to begin `flow`.
    pub(super) async fn authorization_url(&self, flow: &Flow) -> Result<Url, OidcError> {
        let known = self.known().await?;
        let redirect_url = RedirectUrl::from_url(flow.redirect_uri.clone());
        let verifier = PkceCodeVerifier::new(flow.verifier.clone());
        let (state, nonce) = (CsrfToken::new(flow.state.clone()), Nonce::new(flow.nonce.clone()));
        let (url, _, _) = known
            .client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                move || state,
                move || nonce,
            )
            .add_scopes(known.scopes.iter().map(|scope| Scope::new((*scope).to_owned())))
            .set_redirect_uri(Cow::Owned(redirect_url))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        Ok(url)
    }

    /// Redeems the code and checks what comes for it: signature, issuer, audience, expiry and nonce of the ID token.
    pub(super) async fn identify(&self, flow: &Flow, code: String) -> Result<Identity, OidcError> {
        let known = self.known().await?;
        let http = |request: HttpRequest| known.http.send(request);
        let tokens = known
            .client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|_| OidcError::Unavailable("it names no token endpoint".to_owned()))?
            .set_redirect_uri(Cow::Owned(RedirectUrl::from_url(flow.redirect_uri.clone())))
            .set_pkce_verifier(PkceCodeVerifier::new(flow.verifier.clone()))
            .request_async(&http)
            .await
            .map_err(of_tokens)?;
        let token = tokens
            .id_token()
            .ok_or_else(|| OidcError::Unavailable("it gave no ID token".to_owned()))?;
        let nonce = Nonce::new(flow.nonce.clone());
        let mut claims = token.claims(&self.verifier(&known), &nonce);
        if claims.as_ref().is_err_and(is_unknown_key)
            && let Some(newer) = self.newer_than(&known).await?
        {
            claims = token.claims(&self.verifier(&newer), &nonce);
        }
        let claims = claims.map_err(|error| of_claims(&error))?;
        let identity = Identity::of_token(&self.settings.issuer, claims)?;

        let lacks_groups = self.settings.admin_group.is_some() && identity.groups.is_none();
        if identity.email.is_some() && !lacks_groups {
            return Ok(identity);
        }
        let access = tokens.access_token().clone();
        Ok(match self.info(&known, access, claims.subject().clone()).await? {
            Some(info) => identity.with(&info),
            None => identity,
        })
    }

    /// What the provider says of the bearer of the access token, who must be `subject`; `None`: it is not to be asked.
    async fn info(
        &self,
        known: &Known,
        access: AccessToken,
        subject: openidconnect::SubjectIdentifier,
    ) -> Result<Option<InfoClaims>, OidcError> {
        let Ok(request) = known.client.user_info(access, Some(subject)) else {
            return Ok(None);
        };
        let http = |request: HttpRequest| known.http.send(request);
        let info = request.request_async(&http).await.map_err(|error| match error {
            UserInfoError::Request(error) => of_line(&error),
            UserInfoError::ClaimsVerification(error) => of_claims(&error),
            UserInfoError::Response(status, _, _) => {
                OidcError::Unavailable(format!("its userinfo endpoint answers with status {status}"))
            }
            _ => OidcError::Unavailable("its userinfo endpoint's answer cannot be read".to_owned()),
        })?;
        Ok(Some(info))
    }

    fn verifier<'a>(&'a self, known: &'a Known) -> IdTokenVerifier<'a, CoreJsonWebKey> {
        known
            .client
            .id_token_verifier()
            .set_allowed_algs(SIGNATURES)
            .set_time_fn(move || self.clock.now())
    }

    /// What the provider publishes, asked for where it is not known or was too long ago.
    async fn known(&self) -> Result<Arc<Known>, OidcError> {
        if let Some(known) = self.younger_than(FRESH) {
            return Ok(known);
        }
        let mut failed = self.failed.lock().await;
        // Whoever was before us in the queue has asked already.
        if let Some(known) = self.younger_than(FRESH) {
            return Ok(known);
        }
        if failed.is_some_and(|at| self.is_younger(at, PAUSE_AFTER_FAILURE)) {
            return Err(OidcError::Unavailable("it failed a moment ago".to_owned()));
        }
        self.load(&mut failed).await
    }

    /// What it publishes now, where that may be other than `old`.
    async fn newer_than(&self, old: &Arc<Known>) -> Result<Option<Arc<Known>>, OidcError> {
        let mut failed = self.failed.lock().await;
        if let Some(known) = self.younger_than(PAUSE_FOR_KEYS) {
            return Ok((!Arc::ptr_eq(&known, old)).then_some(known));
        }
        self.load(&mut failed).await.map(Some)
    }

    async fn load(&self, failed: &mut Option<DateTime<Utc>>) -> Result<Arc<Known>, OidcError> {
        let known = timeout(LOAD_LIMIT, self.discover())
            .await
            .unwrap_or_else(|_| Err(OidcError::Unavailable("it does not answer in time".to_owned())));
        match known {
            Ok(known) => {
                let known = Arc::new(known);
                *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
                *failed = None;
                Ok(known)
            }
            Err(error) => {
                *failed = Some(self.clock.now());
                Err(error)
            }
        }
    }

    async fn discover(&self) -> Result<Known, OidcError> {
        let http = Http::new().map_err(|error| of_line(&error))?;
        let send = |request: HttpRequest| http.send(request);
        let metadata = CoreProviderMetadata::discover_async(self.settings.issuer.clone(), &send)
            .await
            .map_err(of_discovery)?;
        let offers = |scope: &str| {
            let offered = metadata.scopes_supported();
            offered.is_some_and(|offered| offered.iter().any(|known| known.as_str() == scope))
        };
        let mut scopes = vec!["email", "profile"];
        // Some refuse a scope that they do not know, others tell of no groups without it.
        if offers("groups") {
            scopes.push("groups");
        }
        let takes_basic = metadata
            .token_endpoint_auth_methods_supported()
            .is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        let client = Client::from_provider_metadata(
            metadata,
            ClientId::new(self.settings.client_id.clone()),
            Some(ClientSecret::new(
                self.settings.client_secret.expose_secret().to_owned(),
            )),
        )
        .set_auth_type(if takes_basic {
            AuthType::BasicAuth
        } else {
            AuthType::RequestBody
        });
        Ok(Known {
            client,
            http,
            scopes,
            since: self.clock.now(),
        })
    }

    fn younger_than(&self, age: TimeDelta) -> Option<Arc<Known>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .as_ref()
            .filter(|known| self.is_younger(known.since, age))
            .cloned()
    }

    // A clock that was put back makes nothing last longer.
    fn is_younger(&self, at: DateTime<Utc>, age: TimeDelta) -> bool {
        (self.clock.now() - at).abs() < age
    }
}

fn is_unknown_key(error: &ClaimsVerificationError) -> bool {
    matches!(
        error,
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)
    )
}

fn of_line(error: &HttpError) -> OidcError {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(beneath) = next {
        text = format!("{text}: {beneath}");
        next = beneath.source();
    }
    OidcError::Unavailable(text)
}

fn of_discovery(error: DiscoveryError<HttpError>) -> OidcError {
    OidcError::Unavailable(match error {
        DiscoveryError::Request(error) => return of_line(&error),
        DiscoveryError::Response(status, _, _) => {
            format!("its discovery or its keys are answered with status {status}")
        }
        DiscoveryError::Validation(_) => {
            "its discovery document names another issuer (HINT: Spell OIDC_ISSUER_URL as the provider does, with or \
             without a slash at the end.)"
                .to_owned()
        }
        _ => "its discovery document or its keys cannot be read".to_owned(),
    })
}

/// What a token endpoint says of a code is the person's affair; what it says of us is the operator's.
fn of_tokens(error: RequestTokenError<HttpError, StandardErrorResponse<CoreErrorResponseType>>) -> OidcError {
    match error {
        RequestTokenError::ServerResponse(answer) => {
            let word = one_word(answer.error().as_ref());
            if *answer.error() == CoreErrorResponseType::InvalidGrant {
                OidcError::Refused(format!("the provider refuses the code: {word}"))
            } else {
                OidcError::Unavailable(format!(
                    "it refuses us: {word} (HINT: Check OIDC_CLIENT_ID, OIDC_CLIENT_SECRET and what is registered there.)"
                ))
            }
        }
        RequestTokenError::Request(error) => of_line(&error),
        RequestTokenError::Parse(error, _) => OidcError::Unavailable(format!(
            "its tokens cannot be read at '{}'",
            one_word(&error.path().to_string())
        )),
        RequestTokenError::Other(_) => OidcError::Unavailable("its token endpoint's answer cannot be read".to_owned()),
    }
}

// The library's texts may quote the token.
fn of_claims(error: &ClaimsVerificationError) -> OidcError {
    use ClaimsVerificationError as Error;
    let what = match error {
        Error::Expired(_) => "it has run out",
        Error::InvalidAudience(_) => "it is for somebody else",
        Error::InvalidIssuer(_) => "it is from somebody else",
        Error::InvalidNonce(_) => "it belongs to another log-in",
        Error::InvalidSubject(_) => "the subjects differ",
        Error::SignatureVerification(_) => "its signature is not right",
        _ => "it cannot be read",
    };
    OidcError::Refused(format!("the ID token does not hold: {what}"))
}

/// A word of the provider's, harmless in a log.
pub(super) fn one_word(text: &str) -> String {
    text.chars()
        .filter(|char| char.is_ascii_alphanumeric() || "_-.[]".contains(*char))
        .take(60)
        .collect()
}
