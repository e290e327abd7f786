//! Data sources.
#![allow(
    clippy::result_large_err,
    reason = "an error here ends a read; it is not on a hot path"
)]

use regex::Regex;
use serde_json::{Value as Json, json};
use skybridge_catalogue::{FastConnectService, catalogue};
use skybridge_estate::{Estate, Resource, ResourceId};
use skybridge_hcl::{Diagnostic, Value};
use skybridge_terraform::{Mode, schema::BodySchema};

use super::attributes::{value_of, whole};
use super::names::field;
use super::{ProviderContext, SCHEMAS, lists, vnics};
use crate::decide::circuit::shape_name;
use crate::kinds;
use crate::ocid::{HOME_REGION, region_of, region_part, stable};
use crate::providers;

/// Data sources that are answered from catalogues and by rules of their own; [`lists`] has the others.
const OF_THEIR_OWN: [&str; 18] = [
    "oci_identity_availability_domain",
    "oci_identity_availability_domains",
    "oci_identity_tenancy",
    "oci_identity_regions",
    "oci_identity_region_subscriptions",
    "oci_core_fast_connect_provider_services",
    "oci_core_fast_connect_provider_service",
    "oci_core_virtual_circuit_bandwidth_shapes",
    "oci_core_fast_connect_provider_service_bandwidth_shapes",
    "oci_core_images",
    "oci_core_shapes",
    "oci_core_services",
    "oci_core_vnic_attachments",
    "oci_core_drg_route_tables",
    "oci_core_public_ip",
    "oci_core_drg_route_table_route_rules",
    "oci_core_network_security_group_vnics",
    "oci_core_peer_region_for_remote_peerings",
];

/// True when data sources of the type are read from the network and the catalogues.
#[must_use]
pub fn is_read(ty: &str) -> bool {
    OF_THEIR_OWN.contains(&ty) || lists::one(ty).is_some() || lists::list(ty).is_some()
}

/// Reads a data source: all its attributes.
///
/// # Errors
/// The data source is not modelled, or what it asks for does not exist.
pub fn read(
    estate: &Estate,
    ty: &str,
    config: &Value,
    context: &ProviderContext,
) -> Result<Value, Diagnostic> {
    let Some(schema) = SCHEMAS.find(Mode::Data, ty) else {
        return Err(not_modelled(ty));
    };
    let query = Query {
        estate,
        ty,
        body: &schema.body,
        config,
        context,
    };
    let found = match ty {
        "oci_identity_availability_domain" => query.domain()?,
        "oci_identity_availability_domains" => {
            query.list("availability_domains", domains(context))?
        }
        "oci_identity_tenancy" => json!({ "id": query.text("tenancy_id"), "name": "skybridge",
            "description": "emulated tenancy", "homeRegionKey": region_key(HOME_REGION) }),
        "oci_identity_regions" => query.list("regions", regions())?,
        "oci_identity_region_subscriptions" => {
            query.list("region_subscriptions", subscriptions())?
        }
        "oci_core_fast_connect_provider_services" => {
            let region = &context.region;
            let all = (providers::services().iter()).map(|s| service(s, region));
            query.list("fast_connect_provider_services", all.collect())?
        }
        "oci_core_fast_connect_provider_service" => query.provider_service()?,
        "oci_core_virtual_circuit_bandwidth_shapes"
        | "oci_core_fast_connect_provider_service_bandwidth_shapes" => query.shapes()?,
        "oci_core_images" => query.images()?,
        "oci_core_shapes" => query.compute_shapes()?,
        "oci_core_services" => query.list("services", services(&context.region))?,
        "oci_core_vnic_attachments" => query.vnic_attachments()?,
        "oci_core_drg_route_tables" => query.drg_tables()?,
        "oci_core_public_ip" => query.public_ip()?,
        "oci_core_drg_route_table_route_rules" => query.static_rules()?,
        "oci_core_network_security_group_vnics" => query.members()?,
        "oci_core_peer_region_for_remote_peerings" => {
            let names = region_names().into_iter().map(|n| json!({ "name": n }));
            query.list("peer_region_for_remote_peerings", names.collect())?
        }
        _ => match (lists::one(ty), lists::list(ty)) {
            (Some((argument, kind)), _) => query.one(argument, kind)?,
            (None, Some((attribute, kind))) => query.of_kind(attribute, kind)?,
            (None, None) => return Err(not_modelled(ty)),
        },
    };
    Ok(query.answer(found))
}

fn not_modelled(ty: &str) -> Diagnostic {
    let detail = format!("the data source {ty} is not modelled");
    Diagnostic::error("Not modelled", detail).rule("oci.data-not-modelled")
}

/// A region's key, such as `IAD`; regions that the catalogue does not know have their name.
fn region_key(region: &str) -> String {
    let known = catalogue().oci_regions.iter().find(|r| r.name == region);
    known.map_or_else(|| region_part(region).to_uppercase(), |r| r.key.clone())
}

/// The regions that the catalogue knows, by name.
fn region_names() -> Vec<&'static str> {
    let regions = catalogue().oci_regions.iter();
    regions.map(|r| r.name.as_str()).collect()
}

fn regions() -> Vec<Json> {
    let names = region_names().into_iter();
    names
        .map(|n| json!({ "key": region_key(n), "name": n }))
        .collect()
}

fn subscriptions() -> Vec<Json> {
    let names = region_names().into_iter();
    names
        .map(|n| {
            json!({ "isHomeRegion": n == HOME_REGION, "regionKey": region_key(n), "regionName": n,
                "state": "READY" })
        })
        .collect()
}

/// Availability domains: three in the oldest regions, one elsewhere. Their prefix is the tenancy's.
fn domains(context: &ProviderContext) -> Vec<Json> {
    let region = context.region.as_str();
    let count = match region {
        "us-ashburn-1" | "us-phoenix-1" | "eu-frankfurt-1" | "uk-london-1" => 3,
        _ => 1,
    };
    let middle = match region {
        "us-ashburn-1" => "US-ASHBURN".to_owned(),
        "us-phoenix-1" => "PHX".to_owned(),
        other => other.to_uppercase(),
    };
    let unique = stable("prefix", "", &context.tenancy_id);
    let prefix: String = unique.chars().rev().take(4).collect();
    (1..=count)
        .map(|n| {
            let name = format!("{prefix}:{middle}-AD-{n}");
            json!({ "id": stable("availabilitydomain", "", &name), "name": name,
                "compartmentId": context.tenancy_id })
        })
        .collect()
}

/// A provider's service as the API shows it.
fn service(service: &FastConnectService, region: &str) -> Json {
    let is_azure = providers::is_azure(service);
    let management = if is_azure {
        "PROVIDER_MANAGED"
    } else {
        "CUSTOMER_MANAGED"
    };
    json!({
        "id": providers::id(service, region),
        "providerName": service.provider,
        "providerServiceName": service.service,
        "description": "",
        "type": if service.is_layer2 { "LAYER2" } else { "LAYER3" },
        "privatePeeringBgpManagement": if service.is_layer2 { "CUSTOMER_MANAGED" } else { "PROVIDER_MANAGED" },
        "publicPeeringBgpManagement": "ORACLE_MANAGED",
        "bandwithShapeManagement": "CUSTOMER_MANAGED",
        "customerAsnManagement": management,
        "providerServiceKeyManagement": if is_azure { "CUSTOMER_MANAGED" } else { "ORACLE_MANAGED" },
        "requiredTotalCrossConnects": if is_azure { 2 } else { 1 },
        "supportedVirtualCircuitTypes": if is_azure { json!(["PRIVATE"]) } else { json!(["PUBLIC", "PRIVATE"]) },
    })
}

/// The service labels of a region's service gateway.
fn services(region: &str) -> Vec<Json> {
    let key = region_key(region);
    let label = |name: String, cidr: String| {
        json!({ "id": stable("service", region, &cidr), "name": name, "description": name,
            "cidrBlock": cidr })
    };
    let lower = key.to_lowercase();
    vec![
        label(
            format!("All {key} Services In Oracle Services Network"),
            format!("all-{lower}-services-in-oracle-services-network"),
        ),
        label(
            format!("OCI {key} Object Storage"),
            format!("oci-{lower}-objectstorage"),
        ),
    ]
}

struct Query<'a> {
    estate: &'a Estate,
    ty: &'a str,
    body: &'a BodySchema,
    config: &'a Value,
    context: &'a ProviderContext,
}

impl Query<'_> {
    fn text(&self, name: &str) -> &str {
        self.config.str_attr(name).unwrap_or_default()
    }

    fn missing(&self, what: &str) -> Diagnostic {
        let detail = format!("{}: {what} does not exist", self.ty);
        Diagnostic::error("404-NotAuthorizedOrNotFound", detail).help(
            "Bring up the directory that makes it first, or name it before this one: skybridge plan BASE DIR.",
        )
    }

    /// All attributes: arguments as given, the rest as found.
    fn answer(&self, found: Json) -> Value {
        let mut out = std::collections::BTreeMap::new();
        for (name, attribute) in &self.body.attributes {
            let said = self
                .config
                .attr(name)
                .filter(|v| !v.is_null() && !v.is_unknown());
            let json = found.get(field(name)).or_else(|| found.get(name));
            let value = match (said, json) {
                (Some(said), _) => said.clone(),
                (None, Some(json)) => value_of(json, &attribute.ty),
                (None, None) if name == "id" => Value::string(format!("{}-", self.ty)),
                (None, None) if name == "public_ip_address" && self.has_public_address(&found) => {
                    let stands_for = format!("{}.{name}", self.text("vnic_id"));
                    let text = Value::string(format!("placeholder-{stands_for}"));
                    text.placeholder(stands_for)
                }
                (None, None) => Value::null_of(attribute.ty.clone()),
            };
            out.insert(name.clone(), value);
        }
        for name in self.body.blocks.keys() {
            let said = self.config.attr(name).cloned();
            out.insert(
                name.clone(),
                said.unwrap_or_else(|| Value::tuple(Vec::new())),
            );
        }
        Value::object(out)
    }

    /// A list attribute, after the `filter` blocks.
    fn list(&self, name: &str, mut items: Vec<Json>) -> Result<Json, Diagnostic> {
        for filter in self.config.list_attr("filter") {
            let path: Vec<String> = filter
                .str_attr("name")
                .unwrap_or_default()
                .split('.')
                .map(field)
                .collect();
            let pointer = format!("/{}", path.join("/"));
            let values = filter.strs_attr("values");
            let patterns = if filter.bool_attr("regex") == Some(true) {
                Some(patterns(&values)?)
            } else {
                None
            };
            items.retain(|item| {
                let texts = texts(item.pointer(&pointer));
                texts.iter().any(|text| match &patterns {
                    Some(patterns) => patterns.iter().any(|p| p.is_match(text)),
                    None => values.contains(&text.as_str()),
                })
            });
        }
        Ok(json!({ name: items }))
    }

    fn domain(&self) -> Result<Json, Diagnostic> {
        let all = domains(self.context);
        let number = self.config.attr("ad_number").filter(|v| !v.is_null());
        let number = number
            .and_then(|v| v.as_u64().or_else(|| v.as_str()?.parse().ok()))
            .unwrap_or(1);
        let index = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
        let found = index.and_then(|i| all.get(i)).cloned();
        found.ok_or_else(|| {
            let detail = format!(
                "region {} has {} availability domains; number {number} is not one of them",
                self.context.region,
                all.len()
            );
            Diagnostic::error("Availability domain does not exist", detail)
        })
    }

    fn provider_service(&self) -> Result<Json, Diagnostic> {
        let id = self.text("provider_service_id");
        let found = providers::by_id(id).ok_or_else(|| self.missing(id))?;
        Ok(service(found, region_of(id).unwrap_or(HOME_REGION)))
    }

    fn shapes(&self) -> Result<Json, Diagnostic> {
        let id = self.text("provider_service_id");
        let found = providers::by_id(id).ok_or_else(|| self.missing(id))?;
        let steps = providers::bandwidths_mbps(providers::is_azure(found));
        let shapes = steps
            .into_iter()
            .map(|mbps| json!({ "name": shape_name(mbps), "bandwidthInMbps": mbps }));
        self.list("virtual_circuit_bandwidth_shapes", shapes.collect())
    }

    fn images(&self) -> Result<Json, Diagnostic> {
        let wanted = |name: &str, have: &str| {
            let text = self.text(name);
            text.is_empty() || text == have
        };
        let region = &self.context.region;
        let mut images: Vec<Json> = catalogue()
            .oci_images
            .iter()
            .filter(|i| {
                wanted("operating_system", &i.operating_system)
                    && wanted("operating_system_version", &i.version)
                    && wanted("display_name", &i.name)
            })
            .map(|i| {
                json!({ "id": stable("image", region, &i.name), "displayName": i.name,
                    "operatingSystem": i.operating_system, "operatingSystemVersion": i.version,
                    "lifecycleState": "AVAILABLE", "timeCreated": i.created, "launchMode": "NATIVE",
                    "listingType": "NONE", "createImageAllowed": true, "sizeInMbs": 47694,
                    "compartmentId": "", "freeformTags": {}, "definedTags": {} })
            })
            .collect();
        if self.text("sort_by") == "DISPLAYNAME" {
            images.sort_by_key(|i| i["displayName"].to_string());
        }
        let up = match self.text("sort_by") {
            "DISPLAYNAME" => self.text("sort_order") == "DESC",
            _ => self.text("sort_order") == "ASC",
        };
        if up {
            images.reverse();
        }
        self.list("images", images)
    }

    fn compute_shapes(&self) -> Result<Json, Diagnostic> {
        let wanted = self.text("shape");
        let all = catalogue().oci_shapes.iter();
        let shapes = all
            .filter(|s| wanted.is_empty() || wanted == s.name)
            .map(|s| {
                json!({ "name": s.name, "isFlexible": s.is_flexible, "ocpus": s.ocpus,
                    "memoryInGbs": s.memory_gb, "maxVnicAttachments": s.vnics_max,
                    "networkPorts": 1 })
            });
        self.list("shapes", shapes.collect())
    }

    /// The resources of a kind that the arguments ask for. An estate without any stands for an account
    /// that has some.
    fn of_kind(&self, attribute: &str, kind: &str) -> Result<Json, Diagnostic> {
        let mut all = self.estate.of_kind(kind).peekable();
        if all.peek().is_none() && !self.asks_for_no_id() {
            return Err(not_modelled(self.ty));
        }
        let arguments = self.config.as_map();
        let wanted = |resource: &Resource, json: &Json| {
            let mut given = arguments.into_iter().flatten();
            given.all(|(name, value)| lists::is_wanted(resource, json, name, value))
        };
        let found = all
            .map(|resource| (resource, whole(resource)))
            .filter(|(resource, json)| json.get("isDatabase").is_none() && wanted(resource, json))
            .map(|(_, json)| json);
        self.list(attribute, found.collect())
    }

    /// Whether a filter wants an id that is none, as modules write it that look for nothing.
    fn asks_for_no_id(&self) -> bool {
        let filters = self.config.list_attr("filter");
        filters.iter().any(|filter| {
            let values = filter.strs_attr("values");
            let is_id = |value: &&str| value.starts_with("ocid1.");
            filter.str_attr("name") == Some("id") && !values.is_empty() && !values.iter().any(is_id)
        })
    }

    /// One resource by the id in an argument. What a stand-in names stands in too.
    fn one(&self, argument: &str, kind: &str) -> Result<Json, Diagnostic> {
        if self
            .config
            .attr(argument)
            .is_some_and(Value::is_placeholder)
        {
            return Err(not_modelled(self.ty));
        }
        let id = self.text(argument);
        let found = self.estate.resource(&ResourceId::from(id));
        let found = found.filter(|r| r.kind.as_str() == kind);
        let mut json = whole(found.ok_or_else(|| self.missing(id))?);
        if let Some(address) = json.get("privateIp").cloned() {
            crate::decide::set(&mut json, "privateIpAddress", address);
        }
        Ok(json)
    }

    /// Whether OCI gives a VNIC an ephemeral public address: it does in a public subnet unless it is told not to
    /// (CreateVnicDetails, `assignPublicIp`).
    fn has_public_address(&self, vnic: &Json) -> bool {
        let is = |json: Option<&Json>, wanted: bool| {
            json.is_some_and(|j| {
                j.as_bool() == Some(wanted)
                    || j.as_str() == Some(if wanted { "true" } else { "false" })
            })
        };
        let subnet = vnic.get("subnetId").and_then(Json::as_str);
        let subnet = subnet.and_then(|id| self.estate.resource(&ResourceId::from(id)));
        let fields = ["prohibitPublicIpOnVnic", "prohibitInternetIngress"];
        let is_private = subnet.is_some_and(|s| fields.iter().any(|f| is(s.doc.get(*f), true)));
        !is_private && !is(vnic.get("assignPublicIp"), false)
    }

    fn vnic_attachments(&self) -> Result<Json, Diagnostic> {
        let wanted = |json: &Json, argument: &str| {
            let text = self.text(argument);
            text.is_empty() || json.get(field(argument)).and_then(Json::as_str) == Some(text)
        };
        let mut all = vnics::attachments(self.estate);
        let arguments = ["instance_id", "vnic_id"];
        all.retain(|json| arguments.iter().all(|a| wanted(json, a)));
        self.list("vnic_attachments", all)
    }

    /// The static rules of a DRG route table. The dynamic ones are found by packets: who asks for them is told nothing.
    fn static_rules(&self) -> Result<Json, Diagnostic> {
        if self.text("route_type") != "STATIC" {
            return Err(not_modelled(self.ty));
        }
        let table = ResourceId::from(self.text("drg_route_table_id"));
        let rules = self.estate.children(&table).map(|rule| {
            let mut json = whole(rule);
            for (name, value) in [
                ("routeType", json!("STATIC")),
                ("isBlackhole", json!(false)),
            ] {
                crate::decide::set(&mut json, name, value);
            }
            json
        });
        self.list("drg_route_rules", rules.collect())
    }

    /// The VNICs of a network security group.
    fn members(&self) -> Result<Json, Diagnostic> {
        let group = self.text("network_security_group_id");
        let is_in = |vnic: &&Resource| {
            let groups = vnic.field("/nsgIds").and_then(Json::as_array);
            groups.is_some_and(|all| all.iter().any(|g| g.as_str() == Some(group)))
        };
        let members = self.estate.of_kind(kinds::VNIC).filter(is_in);
        let members = members.map(|vnic| {
            let instance = vnic.parent.as_ref().map(ResourceId::as_str);
            json!({ "vnicId": vnic.id.as_str(), "resourceId": instance })
        });
        self.list("network_security_group_vnics", members.collect())
    }

    /// By its id, its address or the private IP that it is assigned to.
    fn public_ip(&self) -> Result<Json, Diagnostic> {
        let asked = ["id", "ip_address", "private_ip_id"].map(|name| (name, self.text(name)));
        let asked = asked.into_iter().find(|(_, text)| !text.is_empty());
        let (name, wanted) = asked.ok_or_else(|| self.missing("a public IP without id"))?;
        let mut all = self.estate.of_kind(kinds::PUBLIC_IP).map(whole);
        let is_it = |json: &Json| json.get(field(name)).and_then(Json::as_str) == Some(wanted);
        all.find(is_it).ok_or_else(|| self.missing(wanted))
    }

    fn drg_tables(&self) -> Result<Json, Diagnostic> {
        let drg = self.text("drg_id");
        let name = self.text("display_name");
        let import = self.text("import_drg_route_distribution_id");
        let all = self
            .estate
            .of_kind(kinds::DRG_ROUTE_TABLE)
            .filter(|t| t.parent.as_ref().is_some_and(|p| p.as_str() == drg))
            .filter(|t| name.is_empty() || t.name == name)
            .filter(|t| {
                import.is_empty() || t.text("/importDrgRouteDistributionId") == Some(import)
            })
            .map(whole);
        self.list("drg_route_tables", all.collect())
    }
}

/// The texts that a filter compares: a value's own, or those of a list.
fn texts(value: Option<&Json>) -> Vec<String> {
    match value {
        Some(Json::String(text)) => vec![text.clone()],
        Some(Json::Array(items)) => items.iter().flat_map(|i| texts(Some(i))).collect(),
        Some(Json::Null) | None => Vec::new(),
        Some(other) => vec![other.to_string()],
    }
}

fn patterns(values: &[&str]) -> Result<Vec<Regex>, Diagnostic> {
    values
        .iter()
        .map(|v| {
            Regex::new(v).map_err(|e| {
                let detail = format!("\"{v}\" is not a regular expression: {e}");
                Diagnostic::error("Invalid filter", detail)
            })
        })
        .collect()
}
