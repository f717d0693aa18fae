//! An endpoint that is not sent to for a while, and is again.

use axum::extract::State;
use axum::response::Response;
use hookline_common::ids::EndpointId;
use hookline_store::Change;

use super::page::at;
use crate::app::App;
use crate::auth::Tenant;
use crate::extract::EndpointOf;
use crate::pages::parts::see;
use crate::pages::refused::Refused;

pub(in crate::pages) async fn pause(
    State(app): State<App>,
    tenant: Tenant,
    EndpointOf(id): EndpointOf,
) -> Result<Response, Refused> {
    set(&app, &tenant, &id, true).await?;
    Ok(see(&format!("{}?done=paused", at(&tenant, &id))))
}

pub(in crate::pages) async fn resume(
    State(app): State<App>,
    tenant: Tenant,
    EndpointOf(id): EndpointOf,
) -> Result<Response, Refused> {
    set(&app, &tenant, &id, false).await?;
    Ok(see(&format!("{}?done=resumed", at(&tenant, &id))))
}

async fn set(app: &App, tenant: &Tenant, id: &EndpointId, is_paused: bool) -> Result<(), Refused> {
    let change = Change {
        disabled: Some(is_paused),
        ..Change::default()
    };
    let store = app.store();
    store
        .change_endpoint(&tenant.company, id, &change, &tenant.actor)
        .await?;
    Ok(())
}
