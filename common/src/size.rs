//! Sizes as people write them, in settings.

/// `500MB`, `10GB`, `10GiB` or a plain number of bytes; `None` for anything else. A K is 1000, a Ki is 1024.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let each = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1000_u64.pow(2),
        "GB" => 1000_u64.pow(3),
        "TB" => 1000_u64.pow(4),
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(each)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_number_and_may_have_a_unit() {
        assert_eq!(parse("10000000000"), Some(10_000_000_000));
        assert_eq!(parse("10GB"), Some(10_000_000_000));
        assert_eq!(parse("10GiB"), Some(10_737_418_240));
        assert_eq!(parse("7kB"), Some(7000));
        for bad in [
            "",
            "GB",
            "-1GB",
            "1.5GB",
            "1 GB",
            "1gb",
            "1Gb",
            "1G",
            "99999999TB",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
