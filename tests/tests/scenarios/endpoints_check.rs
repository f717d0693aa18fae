//! `hookline endpoints check`: a file of endpoints judged before a dispatcher reads it.

use hookline_tests::cli::{command, objects, out, run, why};
use hookline_tests::endpoint::{Endpoint, file};
use hookline_tests::scenario;
use serde_json::{Value, json};

#[tokio::test]
async fn a_good_endpoints_file_is_listed() {
    scenario(async |world| {
        let path = world.path("good.toml");
        let path = path.to_str().unwrap();
        let endpoints = [
            Endpoint::at("ep_crm", "https://crm.example.com/t0ken?k=t0ken").events(&["booking.*"]),
            Endpoint::at("ep_old", "https://1.1.1.1:8443/")
                .text("secret", "not-a-standard-key")
                .disabled(),
            Endpoint::at("ep_dev", "http://127.0.0.1:9000/").text("format", "standard"),
        ];
        std::fs::write(path, file(&endpoints)).unwrap();
        let flags = ["--allow-http", "true", "--allow-cidrs", "127.0.0.0/8"];
        let check = [&["endpoints", "check", path], &flags[..]].concat();
        let output = run(world, &check).await;
        let (stdout, stderr) = (out(&output), String::from_utf8(output.stderr.clone()).unwrap());
        assert!(output.status.success(), "{stderr}");
        for part in [
            "crm.example.com",
            "booking.*",
            "1.1.1.1:8443",
            "disabled",
            "http://127.0.0.1:9000",
            "standard",
        ] {
            assert!(stdout.contains(part), "{part} in\n{stdout}");
        }
        assert!(
            stderr.contains("notice: endpoint ep_old of acme") && stderr.contains("webhook-signature"),
            "{stderr}"
        );
        for secret in ["t0ken", "whsec_MD", "not-a-standard-key"] {
            assert!(!stdout.contains(secret) && !stderr.contains(secret), "{secret}");
        }
        let rows = objects(world, &[&check[..], &["--json"]].concat()).await;
        assert_eq!(rows.len(), 3);
        assert_eq!(
            (
                &rows[0]["company"],
                &rows[0]["id"],
                &rows[0]["host"],
                &rows[0]["format"]
            ),
            (
                &json!("acme"),
                &json!("ep_crm"),
                &json!("crm.example.com"),
                &json!("meeva")
            )
        );
        assert_eq!(
            (&rows[0]["webhook_signature"], &rows[1]["webhook_signature"]),
            (&json!(true), &json!(false))
        );

        // The same by environment, and from stdin.
        let mut by_environment = command(world, &["endpoints", "check", "-"]);
        by_environment
            .env("HOOKLINE_ALLOW_HTTP", "true")
            .env("HOOKLINE_ALLOW_CIDRS", "127.0.0.1")
            .stdin(std::fs::File::open(path).unwrap());
        let output = by_environment.output().await.unwrap();
        assert!(output.status.success() && out(&output).contains("ep_dev"));
    })
    .await;
}

#[tokio::test]
async fn each_fault_of_an_endpoints_file_is_named() {
    scenario(async |world| {
        let path = world.path("bad.toml");
        let path = path.to_str().unwrap();
        let endpoints = [
            Endpoint::at("ep_http", "http://crm.example.com/"),
            Endpoint::at("ep_inside", "https://169.254.169.254/latest"),
            Endpoint::at("ep_short", "https://crm.example.com/").text("secret", "short"),
            Endpoint::at("ep_typo", "https://crm.example.com/").with("evnets", "[\"a\\u001b[2J\"]"),
            Endpoint::at("ep_name", "https://receiver/"),
        ];
        std::fs::write(path, file(&endpoints)).unwrap();
        let output = run(world, &["endpoints", "check", path]).await;
        let error = why(&output, 1);
        assert!(error.contains("5 faults in") && error.contains(path), "{error}");
        let stdout = out(&output);
        assert_eq!(stdout.lines().count(), 5, "{stdout}");
        for (line, part) in stdout.lines().zip([
            "line 4: endpoint ep_http: url: plain http",
            "line 9: endpoint ep_inside: url: the address",
            "line 15: endpoint ep_short: secret: the secret is 5 characters long",
            "line 21: endpoint ep_typo: evnets: ",
            "line 25: endpoint ep_name: url: the host receiver",
        ]) {
            assert!(line.starts_with(part), "{part}\n{line}");
        }
        assert!(
            !stdout.contains('\x1b') && !stdout.contains("whsec_MD"),
            "{stdout}"
        );

        let output = run(world, &["endpoints", "check", path, "--json"]).await;
        why(&output, 1);
        let first: Value = serde_json::from_str(out(&output).lines().next().unwrap()).unwrap();
        assert_eq!(
            (&first["line"], &first["endpoint"], &first["key"]),
            (&json!(4), &json!("ep_http"), &json!("url"))
        );

        let lenient = ["--allow-hosts", "receiver", "--allow-http", "true"];
        let output = run(world, &[&["endpoints", "check", path], &lenient[..]].concat()).await;
        assert!(why(&output, 1).contains("3 faults in"));
        let nothing = why(&run(world, &["endpoints", "check", "/nowhere"]).await, 1);
        assert!(nothing.contains("/nowhere cannot be read"), "{nothing}");
        let setting = run(world, &["endpoints", "check", path, "--allow-cidrs", "0.0.0.0/0"]).await;
        assert!(why(&setting, 2).contains("HOOKLINE_ALLOW_CIDRS"));
        why(&run(world, &["endpoints", "check"]).await, 2);
    })
    .await;
}
