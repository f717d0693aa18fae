//! What an operator sets of the way out, for all who connect to endpoints.

use std::path::Path;

use hookline_common::settings::{Reader, variables as var};

use crate::client::{EgressProxy, InvalidProxy, ProxyCredentials};

/// The proxy, where one is set. No value is repeated that may hold a password.
#[must_use]
pub fn read_proxy(reader: &mut Reader<'_>) -> Option<EgressProxy> {
    let path = reader.read(&var::EGRESS_PROXY_AUTH_FILE, |path| {
        Ok::<_, String>(path.to_owned())
    });
    let credentials = path.and_then(|path| match ProxyCredentials::read(Path::new(&path)) {
        Ok(credentials) => Some(credentials),
        Err(fault) => {
            // Perhaps they stand here themselves, instead of the file's name.
            let value = (!path.contains(':')).then_some(path);
            reader.fault(&var::EGRESS_PROXY_AUTH_FILE, value, fault);
            None
        }
    });
    let Some(url) = reader.read(&var::EGRESS_PROXY, |url| Ok::<_, String>(url.to_owned())) else {
        if credentials.is_some() {
            let alone = "is of no use without HOOKLINE_EGRESS_PROXY; set that as well, or neither";
            reader.fault(&var::EGRESS_PROXY_AUTH_FILE, None, alone);
        }
        return None;
    };
    match EgressProxy::parse(&url, credentials) {
        Ok(proxy) => Some(proxy),
        Err(fault) => {
            let value = (fault != InvalidProxy::Userinfo).then_some(url);
            reader.fault(&var::EGRESS_PROXY, value, fault.to_string());
            None
        }
    }
}
