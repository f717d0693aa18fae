//! The endpoints that a dispatcher is started with, and the file that says them. Pure.

use crate::names;
use crate::sink::Ports;
use crate::subject::Setup;

/// An endpoint, as it is registered.
pub(crate) struct Registration {
    pub(crate) company: String,
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) secret: String,
    pub(crate) per_second: Option<u32>,
}

/// All endpoints of `setup`, which are at the sink, company after company.
pub(crate) fn registrations(setup: &Setup, ports: Ports) -> Vec<Registration> {
    let (scheme, port) = if setup.tls {
        ("https", ports.https)
    } else {
        ("http", ports.http)
    };
    let mut all = Vec::new();
    for tenants in &setup.tenants {
        for company in tenants.companies.clone() {
            for nth in 0..tenants.endpoints {
                let id = names::endpoint(company, nth);
                let host = if tenants.share_host {
                    names::shared_host()
                } else {
                    names::host(company)
                };
                let behaviour = tenants.behaviour;
                all.push(Registration {
                    company: names::company(company),
                    url: format!("{scheme}://{host}:{port}/{behaviour}/{id}"),
                    secret: names::secret(&id),
                    id,
                    per_second: tenants.per_second,
                });
            }
        }
    }
    all
}

/// The text of a file with all endpoints of `setup`.
pub(crate) fn endpoints_file(setup: &Setup, ports: Ports) -> String {
    let mut file = String::new();
    for one in registrations(setup, ports) {
        let Registration {
            company,
            id,
            url,
            secret,
            per_second,
        } = one;
        file.push_str(&format!(
            "[[endpoint]]\nid = {id:?}\ncompany = {company:?}\nurl = {url:?}\nsecret = {secret:?}\n"
        ));
        if let Some(rate) = per_second {
            file.push_str(&format!("rate = \"{rate}/s\"\n"));
        }
        file.push('\n');
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::Behaviour;
    use crate::subject::Tenants;

    #[test]
    fn every_endpoint_stands_in_the_file() {
        let setup = Setup {
            tenants: vec![
                Tenants {
                    endpoints: 4,
                    ..Tenants::new(0..10, Behaviour::Now)
                },
                Tenants::new(10..11, Behaviour::Hang),
            ],
            ..Setup::default()
        };
        let ports = Ports {
            http: 8080,
            https: 8443,
        };
        let file = endpoints_file(&setup, ports);
        assert_eq!(file.matches("[[endpoint]]").count(), 41);
        assert!(file.contains("url = \"http://127.0.1.11:8080/hang/c10-0\""));
        let tls = Setup { tls: true, ..setup };
        assert!(endpoints_file(&tls, ports).contains("https://127.0.1.1:8443/now/c0-3"));
    }

    #[test]
    fn endpoints_may_share_a_host_and_have_a_rate() {
        let setup = Setup {
            tenants: vec![Tenants {
                share_host: true,
                per_second: Some(50),
                ..Tenants::new(0..2, Behaviour::Now)
            }],
            ..Setup::default()
        };
        let ports = Ports {
            http: 8080,
            https: 8443,
        };
        let file = endpoints_file(&setup, ports);
        let host = names::shared_host();
        assert_eq!(file.matches(&format!("http://{host}:8080/now/c")).count(), 2);
        assert_eq!(file.matches("rate = \"50/s\"").count(), 2);
    }
}
