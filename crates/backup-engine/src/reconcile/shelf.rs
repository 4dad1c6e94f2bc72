//! The storages, each once, with the configurations whose backups are in it.

use std::collections::HashMap;

use backup_archive::Keyring;

use crate::places::Place;

/// One storage, and the configurations whose backups are in it.
pub(super) struct Shelf {
    pub(super) config_keys: Vec<String>,
    /// By configuration.
    own_keys: HashMap<String, Keyring>,
    /// That of the first configuration.
    pub(super) place: Place,
}

impl Shelf {
    /// Several configurations may share a storage, which is looked through once.
    pub(super) fn put(shelves: &mut Vec<Self>, config_key: String, place: Place) {
        let own_keys = (config_key.clone(), place.own_keys.clone());
        let same = shelves
            .iter_mut()
            .find(|shelf| shelf.place.storage.describe() == place.storage.describe());
        match same {
            Some(shelf) => {
                shelf.config_keys.push(config_key);
                shelf.own_keys.extend([own_keys]);
            }
            None => shelves.push(Self {
                config_keys: vec![config_key],
                own_keys: HashMap::from([own_keys]),
                place,
            }),
        }
    }

    /// The configuration that is told of what belongs to no other.
    pub(super) fn first_key(&self) -> &str {
        self.config_keys.first().map_or("", String::as_str)
    }

    /// A configuration's [`Place::own_keys`].
    pub(super) fn own_keys(&self, config_key: &str) -> &Keyring {
        self.own_keys.get(config_key).unwrap_or(&self.place.own_keys)
    }
}
