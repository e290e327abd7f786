//! Dynamic routing gateways.

use serde_json::Value as Json;
use skybridge_estate::{Resource, ResourceId};

use super::{Reader, items, name, region, text};
use crate::kinds;
use crate::model::{AttachmentType, Drg, DrgAttachment, DrgTable, ImportStatement};
use crate::wish::touches;

/// An attachment type as the API spells it.
fn attachment_type(text: &str) -> Option<AttachmentType> {
    match text {
        "VCN" => Some(AttachmentType::Vcn),
        "VIRTUAL_CIRCUIT" => Some(AttachmentType::VirtualCircuit),
        "IPSEC_TUNNEL" => Some(AttachmentType::IpsecTunnel),
        "REMOTE_PEERING_CONNECTION" => Some(AttachmentType::RemotePeeringConnection),
        _ => None,
    }
}

impl<'a> Reader<'a> {
    pub(super) fn drgs(&mut self) -> Vec<Drg> {
        let mut drgs = Vec::new();
        for drg in self.usable(kinds::DRG) {
            let tables = self.nested(kinds::DRG_ROUTE_TABLE, drg);
            let attachments = self.nested(kinds::DRG_ATTACHMENT, drg);
            drgs.push(Drg {
                id: drg.id.clone(),
                name: name(drg),
                region: region(drg),
                tables: tables.into_iter().map(|t| self.drg_table(t)).collect(),
                attachments: attachments
                    .into_iter()
                    .filter_map(|a| self.attachment(a))
                    .collect(),
            });
        }
        drgs
    }

    /// The usable resources of a kind nested in another, by id.
    fn nested(&self, kind: &'static str, parent: &Resource) -> Vec<&'a Resource> {
        let mut all = self.usable(kind);
        all.retain(|r| r.parent.as_ref() == Some(&parent.id));
        all
    }

    fn drg_table(&mut self, table: &Resource) -> DrgTable {
        let pointer = "/importDrgRouteDistributionId";
        let import = table.text(pointer).map(ResourceId::from);
        let import = import.and_then(|id| self.estate.resource(&id));
        if touches(&table.unknown, pointer) {
            self.gap(table, "its import distribution is not known");
        }
        let imports = import.map(|d| self.statements(d)).unwrap_or_default();
        let mut static_rules = Vec::new();
        for rule in self.nested(kinds::DRG_ROUTE_RULE, table) {
            let destination = rule.text("/destination").and_then(|d| d.parse().ok());
            let next = rule.text("/nextHopDrgAttachmentId").map(ResourceId::from);
            match (destination, next) {
                (Some(net), Some(next)) if rule.unknown.is_empty() => {
                    static_rules.push((net, next))
                }
                _ => self.gap(rule, "left out: it rests on values that are not known"),
            }
        }
        DrgTable {
            id: table.id.clone(),
            name: name(table),
            ecmp: table.field("/isEcmpEnabled").and_then(Json::as_bool) == Some(true),
            imports,
            static_rules,
        }
    }

    /// What a distribution imports, in priority order.
    fn statements(&mut self, distribution: &Resource) -> Vec<ImportStatement> {
        let mut statements = self.nested(kinds::DRG_ROUTE_DISTRIBUTION_STATEMENT, distribution);
        statements.sort_by_key(|s| s.field("/priority").and_then(Json::as_u64));
        let mut imports = Vec::new();
        for statement in statements {
            let criteria = items(statement, "/matchCriteria");
            if criteria.is_empty() {
                imports.push(ImportStatement::MatchAll);
            }
            for criterion in criteria {
                let kind = text(criterion, "/attachmentType").and_then(attachment_type);
                let id = text(criterion, "/drgAttachmentId").map(ResourceId::from);
                let read = match text(criterion, "/matchType") {
                    Some("DRG_ATTACHMENT_TYPE") => kind.map(ImportStatement::Type),
                    Some("DRG_ATTACHMENT_ID") => id.map(ImportStatement::Attachment),
                    _ => Some(ImportStatement::MatchAll),
                };
                match read.filter(|_| !touches(&statement.unknown, "/matchCriteria")) {
                    Some(read) => imports.push(read),
                    None => self.gap(statement, "left out: what it matches is not known"),
                }
            }
        }
        imports
    }

    fn attachment(&mut self, attachment: &Resource) -> Option<DrgAttachment> {
        let kind = attachment
            .text("/networkDetails/type")
            .and_then(attachment_type);
        let network = attachment.text("/networkDetails/id").map(ResourceId::from);
        let unknown = ["/vcnId", "/networkDetails/id"]
            .iter()
            .any(|p| touches(&attachment.unknown, p));
        let (Some(kind), Some(network), false) = (kind, network, unknown) else {
            self.gap(attachment, "left out: what it attaches is not known");
            return None;
        };
        let table = attachment.text("/networkDetails/routeTableId");
        Some(DrgAttachment {
            id: attachment.id.clone(),
            name: name(attachment),
            kind,
            network,
            table: attachment
                .text("/drgRouteTableId")
                .unwrap_or_default()
                .into(),
            vcn_route_table: table.map(ResourceId::from),
            announces_vcn_cidrs: attachment.text("/networkDetails/vcnRouteType")
                == Some("VCN_CIDRS"),
        })
    }
}
