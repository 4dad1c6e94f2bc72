//! The web console, embedded: its page, and the assets that the page asks for. Their source is in `ui/`; how they go
//! over the wire is for `backup-api` to know.

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// What `index.html` says where the path prefix belongs.
const BASE: &str = "<base href=\"/\">";

/// A file of the console.
#[derive(Debug)]
pub struct Asset {
    /// Its path below the console's, without a slash at its beginning.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Changes with the content.
    pub tag: &'static str,
    /// Its content.
    pub bytes: &'static [u8],
    /// The same, compressed; `None` where that is not worth it.
    pub brotli: Option<&'static [u8]>,
    /// The same, compressed in the way that every client knows.
    pub gzip: Option<&'static [u8]>,
}

impl Asset {
    /// Whether the path changes with the content, so that it may be kept for ever.
    pub fn is_immutable(&self) -> bool {
        self.path.starts_with("assets/")
    }
}

/// The asset at this path.
pub fn asset(path: &str) -> Option<&'static Asset> {
    let at = ASSETS.binary_search_by(|asset| asset.path.cmp(path)).ok()?;
    ASSETS.get(at)
}

/// The page, which is the same for every address of the console. `base_path` is the path prefix that it stands under:
/// empty, or beginning, and not ending, with a slash.
pub fn page(base_path: &str) -> String {
    let escaped = base_path
        .replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;");
    PAGE.replacen(BASE, &format!("<base href=\"{escaped}/\">"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_stands_under_its_prefix_and_names_only_what_is_there() {
        assert!(page("").contains(BASE));
        let page = page("/a\"b");
        assert!(page.contains("<base href=\"/a&quot;b/\">"), "{page}");
        let mut named = 0;
        for part in page.split("=\"./").skip(1) {
            let path = part.split('"').next().unwrap_or_default();
            assert!(asset(path).is_some(), "{path} is not embedded");
            named += 1;
        }
        assert!(named >= 3, "script, style and icon: {page}");
    }

    #[test]
    fn every_asset_is_found_and_scripts_are_compressed() {
        for each in ASSETS {
            assert_eq!(asset(each.path).map(|found| found.tag), Some(each.tag));
            let is_script = each.content_type.starts_with("text/javascript");
            assert!(
                !is_script || each.brotli.is_some() && each.gzip.is_some(),
                "{}",
                each.path
            );
        }
        assert!(asset("index.html").is_none() && asset("../Cargo.toml").is_none());
    }
}
