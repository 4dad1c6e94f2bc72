//! What is in a storage, seen from outside our own programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::http::Client;
use crate::azurite::{ACCOUNT, ACCOUNT_KEY, Azurite};
use crate::tools;

/// A storage: a folder, or a container of an Azurite.
#[derive(Debug, Clone)]
pub enum Blobs {
    /// Everything below a folder.
    Folder(PathBuf),
    /// A container.
    Container {
        /// The emulator's port.
        port: u16,
        /// The container's name.
        name: String,
    },
}

impl Blobs {
    /// A container of this name, which need not exist yet.
    pub fn container(azurite: &Azurite, name: &str) -> Self {
        Self::Container {
            port: azurite.port(),
            name: name.to_owned(),
        }
    }

    /// The paths of everything that is stored, sorted. In a folder also what is hidden, so that leftovers show.
    pub fn list(&self) -> Vec<String> {
        let mut found = match self {
            Self::Folder(root) => files_below(root, root),
            Self::Container { .. } => {
                let answer = self.request("GET", "", "restype=container&comp=list", None);
                match answer.status {
                    404 => Vec::new(),
                    200 => names(&answer.text()),
                    _ => panic!("listing: {}", answer.text()),
                }
            }
        };
        found.sort();
        found
    }

    /// The content of a blob.
    pub fn read(&self, path: &str) -> Vec<u8> {
        match self {
            Self::Folder(root) => fs::read(root.join(path)).unwrap_or_else(|e| panic!("{path}: {e}")),
            Self::Container { .. } => {
                let answer = self.request("GET", path, "", None);
                assert_eq!(answer.status, 200, "{path}: {}", answer.text());
                answer.body
            }
        }
    }

    /// Writes a blob, in place of what is there.
    pub fn write(&self, path: &str, content: &[u8]) {
        match self {
            Self::Folder(root) => {
                let file = root.join(path);
                fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
                fs::write(file, content).expect("a blob");
            }
            Self::Container { .. } => {
                let answer = self.request("PUT", path, "", Some(content));
                assert_eq!(answer.status, 201, "{path}: {}", answer.text());
            }
        }
    }

    /// Removes a blob.
    pub fn remove(&self, path: &str) {
        match self {
            Self::Folder(root) => fs::remove_file(root.join(path)).unwrap_or_else(|e| panic!("{path}: {e}")),
            Self::Container { .. } => {
                let answer = self.request("DELETE", path, "", None);
                assert_eq!(answer.status, 202, "{path}: {}", answer.text());
            }
        }
    }

    /// Moves a blob of a container into the archive tier: it is there as before, and cannot be read.
    pub fn archive(&self, path: &str) {
        let answer = self.request("PUT", path, "comp=tier", None);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }

    fn request(&self, method: &str, path: &str, query: &str, body: Option<&[u8]>) -> super::Answer {
        let Self::Container { port, name } = self else {
            panic!("a folder is not asked by HTTP");
        };
        let separator = if query.is_empty() { "" } else { "&" };
        let sas = account_sas("rwdlac");
        let slash = if path.is_empty() { "" } else { "/" };
        let address = format!("/{ACCOUNT}/{name}{slash}{path}?{query}{separator}{sas}");
        let client = Client::new(*port).with("x-ms-version", "2020-10-02");
        let client = match query {
            "comp=tier" => client.with("x-ms-access-tier", "Archive"),
            _ => client.with("x-ms-blob-type", "BlockBlob"),
        };
        let body = body.map(|bytes| ("application/octet-stream", bytes));
        client
            .try_send(method, &address, body)
            .unwrap_or_else(|e| panic!("{method} {path}: {e}"))
    }
}

/// A shared access signature of the emulator's account for blobs with these permissions (letters of `rwdlac`).
pub fn account_sas(permissions: &str) -> String {
    let (version, services, types, expiry) = ("2019-12-12", "b", "sco", "2099-01-01T00:00:00Z");
    let text = format!("{ACCOUNT}\n{permissions}\n{services}\n{types}\n\n{expiry}\n\nhttps,http\n{version}\n");
    let signature = hmac_base64(ACCOUNT_KEY, &text);
    let escaped = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    format!("sv={version}&ss={services}&srt={types}&sp={permissions}&se={expiry}&spr=https,http&sig={escaped}")
}

/// HMAC-SHA256 by openssl: the key and the result in base64.
fn hmac_base64(key: &str, text: &str) -> String {
    let script = "key=$(printf %s \"$1\" | base64 -d | od -An -v -tx1 | tr -d ' \\n') && \
                  printf %s \"$2\" | openssl dgst -sha256 -mac HMAC -macopt hexkey:$key -binary | base64 -w0";
    let output = tools::run(Command::new("sh").args(["-c", script, "hmac", key, text])).expect("openssl");
    String::from_utf8(output.stdout).expect("base64")
}

fn names(list: &str) -> Vec<String> {
    let parts = list.split("<Name>").skip(1);
    parts
        .filter_map(|part| Some(part.split_once("</Name>")?.0.to_owned()))
        .collect()
}

fn files_below(root: &Path, folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_below(root, &path));
        } else {
            let below = path.strip_prefix(root).expect("a path below the root");
            found.push(below.display().to_string());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_seen_from_outside() {
        let azurite = Azurite::shared();
        let name = azurite.new_container();
        let blobs = Blobs::container(azurite, &name);
        assert_eq!(blobs.list(), Vec::<String>::new());
        let made = blobs.request("PUT", "", "restype=container", None);
        assert_eq!(made.status, 201, "{}", made.text());
        blobs.write("2026/11-23/a.json", b"content");
        assert_eq!(blobs.list(), ["2026/11-23/a.json"]);
        assert_eq!(blobs.read("2026/11-23/a.json"), b"content");
        blobs.remove("2026/11-23/a.json");
        assert_eq!(blobs.list(), Vec::<String>::new());
    }
}
