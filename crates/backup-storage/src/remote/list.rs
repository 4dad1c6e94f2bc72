//! Listing what is in a remote store, where archives and receipts can be: in the store itself and below `YYYY`. Other
//! folders are somebody else's and not asked for: object_store gives up a listing at the first name that it does not
//! take, such as `a//b`.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _, future};
use object_store::path::Path;
use object_store::{ListResult, ObjectMeta};

use super::Remote;
use crate::error::{At, Error};
use crate::path::{is_date, is_listed, is_partial};
use crate::stall::within;
use crate::store::BlobInfo;

impl Remote {
    /// Every blob below the prefix where ours can be, page by page but for the few that are in no folder.
    pub(crate) fn list(self: &Arc<Self>) -> BoxStream<'static, Result<BlobInfo, Error>> {
        let (remote, shown) = (Arc::clone(self), Arc::clone(self));
        stream::once(async move {
            let root = remote.root().await?;
            let years = root
                .common_prefixes
                .into_iter()
                .filter(|folder| folder.filename().is_some_and(is_date));
            let below = stream::iter(years).flat_map(move |year| remote.below(&year));
            Ok::<_, Error>(stream::iter(root.objects.into_iter().map(Ok)).chain(below).boxed())
        })
        .try_flatten()
        .try_filter_map(move |meta| future::ready(Ok(shown.info(&meta))))
        .boxed()
    }

    async fn root(&self) -> Result<ListResult, Error> {
        let at = At::whole(&self.describe, "list");
        let prefix = Path::parse(&self.prefix).map_err(|error| at.refused(error, "Give a plain relative path."))?;
        within(self.stall_timeout, at, async {
            let listed = self.store.list_with_delimiter(Some(&prefix)).await;
            listed.map_err(|error| self.error(at, &error))
        })
        .await
    }

    fn below(self: &Arc<Self>, folder: &Path) -> BoxStream<'static, Result<ObjectMeta, Error>> {
        let (remote, pages) = (Arc::clone(self), self.store.list(Some(folder)));
        stream::try_unfold(pages, move |mut pages| {
            let remote = Arc::clone(&remote);
            async move {
                let at = At::whole(&remote.describe, "list");
                let next = within(remote.stall_timeout, at, async {
                    pages.try_next().await.map_err(|error| remote.error(at, &error))
                });
                Ok(next.await?.map(|meta| (meta, pages)))
            }
        })
        .boxed()
    }

    fn info(&self, meta: &ObjectMeta) -> Option<BlobInfo> {
        let path = meta.location.as_ref().strip_prefix(&self.prefix)?;
        (!path.is_empty() && is_listed(path)).then(|| BlobInfo {
            path: path.to_owned(),
            size: meta.size,
            modified: meta.last_modified,
            partial: is_partial(path),
        })
    }
}
