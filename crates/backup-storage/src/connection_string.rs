//! Azure connection strings: the whole grammar, and errors that say which part is wrong without telling its value.

use object_store::azure::{AzureAccessKey, split_sas};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// The emulator's account and key, which its makers publish.
const EMULATOR_ACCOUNT: &str = "devstoreaccount1";
const EMULATOR_KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// What a connection string says.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionString {
    /// Name of the storage account.
    pub(crate) account: String,
    /// Address of its blob service, without a slash at the end.
    pub(crate) endpoint: String,
    /// How to get in.
    pub(crate) credential: Credential,
}

/// How to get in.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// The account's key, base64.
    Key(SecretString),
    /// A shared access signature, without the question mark.
    Sas(SecretString),
}

#[derive(Debug, Default)]
struct Parts<'a> {
    account_name: Option<&'a str>,
    account_key: Option<&'a str>,
    sas: Option<&'a str>,
    blob_endpoint: Option<&'a str>,
    suffix: Option<&'a str>,
    protocol: Option<&'a str>,
    emulator: Option<&'a str>,
    emulator_proxy: Option<&'a str>,
    ignored: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn slot(&mut self, key: &str) -> Option<&mut Option<&'a str>> {
        Some(match key.to_ascii_lowercase().as_str() {
            "accountname" => &mut self.account_name,
            "accountkey" => &mut self.account_key,
            "sharedaccesssignature" => &mut self.sas,
            "blobendpoint" => &mut self.blob_endpoint,
            "endpointsuffix" => &mut self.suffix,
            "defaultendpointsprotocol" => &mut self.protocol,
            "usedevelopmentstorage" => &mut self.emulator,
            "developmentstorageproxyuri" => &mut self.emulator_proxy,
            // Belong to the grammar and say nothing about where blobs are written.
            "queueendpoint"
            | "tableendpoint"
            | "fileendpoint"
            | "dfsendpoint"
            | "webendpoint"
            | "blobsecondaryendpoint"
            | "queuesecondaryendpoint"
            | "tablesecondaryendpoint"
            | "filesecondaryendpoint" => {
                self.ignored = None;
                &mut self.ignored
            }
            _ => return None,
        })
    }
}

impl ConnectionString {
    /// Reads a connection string. The error is the reason alone, and holds no value that may be secret.
    pub(crate) fn parse(text: &SecretString) -> Result<Self, String> {
        let parts = split(text.expose_secret())?;
        if let Some(emulator) = parts.emulator {
            match emulator.to_ascii_lowercase().as_str() {
                "true" => return emulated(&parts),
                "false" => {}
                _ => return Err("UseDevelopmentStorage is neither true nor false".to_owned()),
            }
        }
        let credential = credential(&parts)?;
        let endpoint = match parts.blob_endpoint {
            Some(endpoint) => http_url("BlobEndpoint", endpoint)?,
            None => default_endpoint(&parts)?,
        };
        let account = match parts.account_name {
            Some(name) => account_name("AccountName", name)?,
            None => account_of(&endpoint)?,
        };
        Ok(Self {
            account,
            endpoint,
            credential,
        })
    }
}

fn split(text: &str) -> Result<Parts<'_>, String> {
    let mut parts = Parts::default();
    let text = text.trim().trim_matches(['"', '\'']);
    for (index, part) in text.split(';').enumerate().filter(|(_, part)| !part.trim().is_empty()) {
        let number = index + 1;
        let (key, value) = part
            .split_once('=')
            .ok_or_else(|| format!("part {number} is not of the form Key=Value"))?;
        let (key, value) = (key.trim(), value.trim());
        let Some(slot) = parts.slot(key) else {
            // What is no name may be a piece of a secret that was cut at a semicolon.
            let is_name = key.len() <= 40 && key.chars().all(|c| c.is_ascii_alphabetic());
            return Err(if is_name {
                format!("the key {key} is not known")
            } else {
                format!("part {number} has no known key")
            });
        };
        if value.is_empty() {
            return Err(format!("{key} is empty"));
        }
        if slot.replace(value).is_some() {
            return Err(format!("{key} is given twice"));
        }
    }
    Ok(parts)
}

fn emulated(parts: &Parts<'_>) -> Result<ConnectionString, String> {
    let others = [
        parts.account_name,
        parts.account_key,
        parts.sas,
        parts.blob_endpoint,
        parts.suffix,
        parts.protocol,
    ];
    if others.iter().any(Option::is_some) {
        return Err("UseDevelopmentStorage=true goes with nothing but DevelopmentStorageProxyUri".to_owned());
    }
    let host = match parts.emulator_proxy {
        Some(proxy) => http_url("DevelopmentStorageProxyUri", proxy)?,
        None => "http://127.0.0.1".to_owned(),
    };
    // A proxy names the machine; the emulator's port is fixed unless it says otherwise.
    let port = if Url::parse(&host).is_ok_and(|url| url.port().is_some()) {
        ""
    } else {
        ":10000"
    };
    Ok(ConnectionString {
        account: EMULATOR_ACCOUNT.to_owned(),
        endpoint: format!("{host}{port}/{EMULATOR_ACCOUNT}"),
        credential: Credential::Key(EMULATOR_KEY.into()),
    })
}

fn credential(parts: &Parts<'_>) -> Result<Credential, String> {
    if let Some(key) = parts.account_key {
        if AzureAccessKey::try_new(key).is_err() {
            return Err("AccountKey is not base64".to_owned());
        }
        return Ok(Credential::Key(key.into()));
    }
    let Some(sas) = parts.sas else {
        return Err("neither AccountKey nor SharedAccessSignature is given".to_owned());
    };
    let sas = sas.trim_start_matches('?');
    match split_sas(sas) {
        Ok(pairs) if pairs.iter().any(|(name, value)| name == "sig" && !value.is_empty()) => {
            Ok(Credential::Sas(sas.into()))
        }
        Ok(_) => Err("SharedAccessSignature has no sig".to_owned()),
        Err(_) => Err("SharedAccessSignature is not a list of name=value joined by &".to_owned()),
    }
}

fn default_endpoint(parts: &Parts<'_>) -> Result<String, String> {
    let Some(name) = parts.account_name else {
        return Err("neither AccountName nor BlobEndpoint is given".to_owned());
    };
    let name = account_name("AccountName", name)?;
    let protocol = match parts.protocol.map(str::to_ascii_lowercase).as_deref() {
        None | Some("https") => "https",
        Some("http") => "http",
        Some(_) => return Err("DefaultEndpointsProtocol is neither http nor https".to_owned()),
    };
    let suffix = parts.suffix.unwrap_or("core.windows.net").trim_matches('.');
    http_url("EndpointSuffix", &format!("{protocol}://{name}.blob.{suffix}"))
}

/// Checks the name of an account, of which the host of its service is made.
pub(crate) fn account_name(key: &str, name: &str) -> Result<String, String> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if plain && !name.is_empty() {
        Ok(name.to_owned())
    } else {
        Err(format!("{key} is not made of letters, digits and hyphens alone"))
    }
}

/// Checks the address of a service, and takes the slash from its end.
pub(crate) fn http_url(key: &str, text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|_| format!("{key} is not an address such as https://HOST"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(format!("{key} is not an address such as https://HOST"));
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(format!("{key} holds more than a host and a path"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

// The account of an address: the first label of the host, or the first name of the path where the host is an address
// in numbers or a name without dots, as emulators have it.
fn account_of(endpoint: &str) -> Result<String, String> {
    let name = Url::parse(endpoint).ok().and_then(|url| {
        let in_path = url
            .path_segments()
            .and_then(|mut names| names.next().map(str::to_owned));
        match url.host() {
            Some(url::Host::Domain(host)) if host.contains('.') => host.split('.').next().map(str::to_owned),
            _ => in_path.filter(|name| !name.is_empty()),
        }
    });
    name.ok_or_else(|| "AccountName is missing, and BlobEndpoint does not tell it".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "c2VjcmV0LWtleS1vZi10aGUtYWNjb3VudA==";

    fn parse(text: &str) -> Result<ConnectionString, String> {
        ConnectionString::parse(&text.into())
    }

    fn sas(parsed: &ConnectionString) -> &str {
        match &parsed.credential {
            Credential::Sas(sas) => sas.expose_secret(),
            Credential::Key(_) => panic!("a key"),
        }
    }

    fn key(parsed: &ConnectionString) -> &str {
        match &parsed.credential {
            Credential::Key(key) => key.expose_secret(),
            Credential::Sas(_) => panic!("a signature"),
        }
    }

    #[test]
    fn the_portal_s_string_is_read() {
        let text =
            format!("DefaultEndpointsProtocol=https;AccountName=acct;AccountKey={KEY};EndpointSuffix=core.windows.net");
        let parsed = parse(&text).unwrap();
        assert_eq!(
            (parsed.account.as_str(), parsed.endpoint.as_str()),
            ("acct", "https://acct.blob.core.windows.net")
        );
        assert_eq!(key(&parsed), KEY, "the equal signs at the key's end belong to it");
    }

    #[test]
    fn sovereign_clouds_and_plain_http_are_read() {
        let text = format!(
            "defaultendpointsprotocol=http;ACCOUNTNAME=acct;AccountKey={KEY};EndpointSuffix=core.chinacloudapi.cn;"
        );
        assert_eq!(parse(&text).unwrap().endpoint, "http://acct.blob.core.chinacloudapi.cn");
    }

    #[test]
    fn an_explicit_endpoint_wins() {
        let text = format!(
            "AccountName=a;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:10000/a/;QueueEndpoint=http://127.0.0.1:10001/a"
        );
        assert_eq!(parse(&text).unwrap().endpoint, "http://127.0.0.1:10000/a");
    }

    #[test]
    fn a_signature_needs_no_account_name() {
        let text = "BlobEndpoint=https://acct.blob.core.windows.net/;SharedAccessSignature=?sv=2022&sig=ab%2Bc%3D";
        let parsed = parse(text).unwrap();
        assert_eq!(
            (parsed.account.as_str(), sas(&parsed)),
            ("acct", "sv=2022&sig=ab%2Bc%3D")
        );
        let parsed = parse("BlobEndpoint=http://127.0.0.1:10000/dev;SharedAccessSignature=sv=1&sig=x").unwrap();
        assert_eq!(parsed.account, "dev");
    }

    #[test]
    fn the_emulator_has_a_short_form() {
        let parsed = parse("UseDevelopmentStorage=true").unwrap();
        assert_eq!(parsed.endpoint, "http://127.0.0.1:10000/devstoreaccount1");
        let parsed = parse("UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://box").unwrap();
        assert_eq!(parsed.endpoint, "http://box:10000/devstoreaccount1");
        let parsed = parse("UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://box:77/").unwrap();
        assert_eq!(parsed.endpoint, "http://box:77/devstoreaccount1");
    }

    #[test]
    fn what_is_wrong_is_named_and_no_value_told() {
        for (text, reason) in [
            ("", "neither AccountKey nor"),
            ("garbage", "part 1 is not"),
            ("AccountName=a", "neither AccountKey nor"),
            ("AccountName=a;AccountKey=s3cret!", "AccountKey is not base64"),
            ("AccountName=a;AccountKey=", "AccountKey is empty"),
            ("AccountKey=c2VjcmV0", "neither AccountName nor"),
            (
                "AccountName=a;AccountName=b;AccountKey=c2VjcmV0",
                "AccountName is given twice",
            ),
            ("AccoutName=a;AccountKey=c2VjcmV0", "the key AccoutName is not known"),
            (
                "AccountName=s3cret.example/;AccountKey=c2Vj",
                "AccountName is not made of",
            ),
            ("AccountName=a;AccountKey=c2Vj;s3cret+/=", "part 3 has no known key"),
            (
                "AccountName=a;SharedAccessSignature=s3cret",
                "SharedAccessSignature is not",
            ),
            ("AccountName=a;SharedAccessSignature=sv=s3cret", "has no sig"),
            (
                "AccountName=a;AccountKey=c2Vj;BlobEndpoint=s3cret",
                "BlobEndpoint is not",
            ),
            (
                "AccountName=a;AccountKey=c2Vj;BlobEndpoint=https://h/?sig=s3cret",
                "BlobEndpoint holds more",
            ),
            (
                "AccountName=a;AccountKey=c2Vj;DefaultEndpointsProtocol=s3cret",
                "DefaultEndpointsProtocol is",
            ),
            ("UseDevelopmentStorage=s3cret", "UseDevelopmentStorage is"),
            ("UseDevelopmentStorage=true;AccountKey=s3cret", "goes with nothing but"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
            assert!(!error.contains("s3cret") && !error.contains("c2Vj"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_order_case_and_spacing_says_the_same(
            account in "[a-z0-9]{3,24}",
            raw in "[A-Za-z0-9+/]{4}{1,20}",
            order in Just((0..4_usize).collect::<Vec<_>>()).prop_shuffle(),
            upper in any::<bool>(),
            spaces in "[ ]{0,3}",
        ) {
            let pairs = [
                ("AccountName", account.clone()),
                ("AccountKey", raw.clone()),
                ("DefaultEndpointsProtocol", "https".to_owned()),
                ("EndpointSuffix", "example.net".to_owned()),
            ];
            let text: Vec<String> = order.iter().map(|&index| {
                let (name, value) = &pairs[index];
                let name = if upper { name.to_ascii_uppercase() } else { (*name).to_owned() };
                format!("{spaces}{name}{spaces}={spaces}{value}{spaces}")
            }).collect();
            let parsed = parse(&text.join(";")).unwrap();
            prop_assert_eq!(&parsed.account, &account);
            prop_assert_eq!(&parsed.endpoint, &format!("https://{account}.blob.example.net"));
            prop_assert_eq!(key(&parsed), &raw);
        }

        #[test]
        fn no_text_panics_and_no_value_is_told(text in "\\PC{0,200}", value in "[a-z]{12}[0-9]{12}") {
            let _ = parse(&text);
            for name in ["AccountKey", "SharedAccessSignature", "BlobEndpoint", "UseDevelopmentStorage", "Unknown"] {
                if let Err(error) = parse(&format!("AccountName={value}!;{name}={value}")) {
                    prop_assert!(!error.contains(&value), "{error}");
                }
            }
        }
    }
}
