//! OCIDs: `ocid1.<type>.oc1.<region>.<unique>`.

use skybridge_base::Rng;
use skybridge_estate::ResourceId;

/// The region that answers when no front door names one: the home region of the emulated tenancy.
pub const HOME_REGION: &str = "us-ashburn-1";

/// Regions that OCIDs name by key; all others stand there by name.
const SHORT: [(&str, &str); 2] = [("us-ashburn-1", "iad"), ("us-phoenix-1", "phx")];

/// Characters of the unique part (RFC 4648 §6 base 32, in lower case).
const BASE32: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";

/// Length of the unique part.
const UNIQUE_LEN: usize = 60;

/// A new OCID of a type in a region; the unique part comes from `rng`.
#[must_use]
pub(crate) fn ocid(ty: &str, region: &str, rng: &mut Rng) -> ResourceId {
    let mut unique = String::with_capacity(UNIQUE_LEN);
    for _ in 0..UNIQUE_LEN {
        let c = rng.choose(&BASE32).copied().unwrap_or(b'a');
        unique.push(char::from(c));
    }
    format!("ocid1.{ty}.oc1.{}.{unique}", region_part(region)).into()
}

/// The OCID of something that exists in every estate, such as an image: a function of its label.
#[must_use]
pub(crate) fn stable(ty: &str, region: &str, label: &str) -> String {
    let mut rng = Rng::new(0).child(&format!("{ty}/{region}/{label}"));
    ocid(ty, region, &mut rng).to_string()
}

/// How OCIDs spell a region.
#[must_use]
pub(crate) fn region_part(region: &str) -> &str {
    let short = SHORT.iter().find(|(name, _)| *name == region);
    short.map_or(region, |(_, key)| key)
}

/// The region in an OCID, by name; `None` when the text is no OCID or names no region.
#[must_use]
pub fn region_of(id: &str) -> Option<&str> {
    let mut parts = id.split('.');
    if parts.next() != Some("ocid1") {
        return None;
    }
    let part = parts.nth(2).filter(|p| !p.is_empty())?;
    let long = SHORT.iter().find(|(_, key)| *key == part);
    Some(long.map_or(part, |(name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ocids_have_five_parts_and_sixty_unique_characters() {
        let id = ocid("vcn", "us-ashburn-1", &mut Rng::new(1));
        let parts: Vec<&str> = id.as_str().split('.').collect();
        assert_eq!(parts[..4], ["ocid1", "vcn", "oc1", "iad"]);
        assert_eq!(parts[4].len(), 60);
        assert!(parts[4].bytes().all(|c| BASE32.contains(&c)));
    }

    #[test]
    fn the_region_is_read_back_by_name() {
        let mut rng = Rng::new(1);
        for region in ["us-ashburn-1", "us-phoenix-1", "eu-frankfurt-1"] {
            assert_eq!(
                region_of(ocid("drg", region, &mut rng).as_str()),
                Some(region)
            );
        }
        assert_eq!(region_of("ocid1.tenancy.oc1..abc"), None);
        assert_eq!(region_of("/subscriptions/x"), None);
    }
}
