//! What every route shares: reading parameters and bodies, and what surrounds each request.

pub(crate) mod body;
pub(crate) mod disposition;
pub(crate) mod middleware;
pub(crate) mod params;
pub(crate) mod pieces;
pub(crate) mod range;
