use std::collections::BTreeSet;

use skybridge_catalogue::catalogue;

use super::*;

#[test]
fn rules_have_unique_names_and_sources_that_resolve() {
    let names: BTreeSet<&str> = TABLE.iter().map(|r| r.name).collect();
    assert_eq!(names.len(), TABLE.len());
    for rule in &TABLE {
        assert!(rule.name.starts_with("azure."), "{}", rule.name);
        assert!(catalogue().source(rule.source).is_some(), "{}", rule.source);
        assert!(!rule.text.is_empty() && !rule.help.is_empty());
        let rejected = rule.level == Level::Rejected(Cloud::Azure);
        assert_eq!(rejected, rule.refusal.is_some(), "{}", rule.name);
        if ["assumed", "recalled", "deduced"].contains(&rule.source) {
            assert_eq!(rule.grade, Grade::Assumed, "{}", rule.name);
        }
    }
}

#[test]
fn a_refusal_becomes_a_finding_with_its_rule() {
    let refusal = refuse("azure.subnet-overlap", "/properties/addressPrefix", "no");
    assert_eq!(
        (refusal.code, refusal.status),
        ("NetcfgSubnetRangesOverlap", 400)
    );
    let found = finding_of(&refusal, &"x".into());
    assert_eq!(found.level, Level::Rejected(Cloud::Azure));
    assert_eq!(
        found.subject,
        Subject::field("x".into(), "/properties/addressPrefix")
    );
    assert_eq!(found.grade, Grade::Documented);
    assert!(found.message.contains("NetcfgSubnetRangesOverlap"));
}
