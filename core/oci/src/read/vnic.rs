//! VNICs with their private IPs.

use std::net::IpAddr;

use serde_json::{Value as Json, json};
use skybridge_estate::{Resource, ResourceId};

use super::{Reader, ids, name};
use crate::kinds;
use crate::model::Vnic;
use crate::wish::touches;

impl Reader<'_> {
    pub(super) fn vnics(&mut self) -> Vec<Vnic> {
        let all = self.usable(kinds::VNIC);
        all.into_iter().filter_map(|v| self.vnic(v)).collect()
    }

    fn vnic(&mut self, vnic: &Resource) -> Option<Vnic> {
        let instance = self.estate.resource(vnic.parent.as_ref()?)?;
        let attachment = vnic.text("/vnicAttachmentId").map(ResourceId::from);
        let attachment = attachment.and_then(|id| self.estate.resource(&id));
        // What is said of a secondary VNIC is said where it is asked for.
        let subject = attachment.unwrap_or(vnic);
        let address = vnic
            .text("/privateIp")
            .and_then(|a| a.parse::<IpAddr>().ok());
        let known = !touches(&vnic.unknown, "/subnetId");
        let Some(address) = address.filter(|_| known) else {
            self.gap(subject, "left out: its subnet or address is not known");
            return None;
        };
        for (pointer, what) in [
            ("/nsgIds", "its network security groups are not known"),
            ("/routeTableId", "its route table is not known"),
        ] {
            if touches(&vnic.unknown, pointer) {
                self.gap(subject, what);
            }
        }
        Some(Vnic {
            id: vnic.id.clone(),
            instance: instance.id.clone(),
            name: name(instance),
            attachment: attachment.map(|a| (a.id.clone(), name(a))),
            subnet: vnic.text("/subnetId").unwrap_or_default().into(),
            address,
            secondary: self.secondary(vnic),
            route_table: vnic.text("/routeTableId").map(ResourceId::from),
            security_groups: ids(vnic, "/nsgIds"),
            skip_source_check: vnic.field("/skipSourceDestCheck").and_then(Json::as_bool)
                == Some(true),
        })
    }

    /// The secondary private IPs of a VNIC.
    fn secondary(&mut self, vnic: &Resource) -> Vec<(ResourceId, IpAddr)> {
        let mut found = Vec::new();
        let estate = self.estate;
        let further = |ip: &&Resource| {
            ip.kind.as_str() == kinds::PRIVATE_IP && ip.field("/isPrimary") != Some(&json!(true))
        };
        for ip in estate.children(&vnic.id).filter(further) {
            if ip.text("/routeTableId").is_some() || touches(&ip.unknown, "/routeTableId") {
                self.gap(ip, "a route table of one private IP is not modelled");
            }
            match ip.text("/ipAddress").and_then(|a| a.parse().ok()) {
                Some(address) => found.push((ip.id.clone(), address)),
                None => self.gap(ip, "left out: its address is not known"),
            }
        }
        found
    }
}
