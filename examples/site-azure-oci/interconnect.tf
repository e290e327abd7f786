# The circuit to OCI, and the virtual circuit that holds its service key.
resource "azurerm_express_route_circuit" "oci" {
  name                  = "${var.name}-oci"
  resource_group_name   = azurerm_resource_group.this.name
  location              = azurerm_resource_group.this.location
  service_provider_name = "Oracle Cloud FastConnect"
  peering_location      = var.peering_location
  bandwidth_in_mbps     = var.bandwidth_mbps

  sku {
    tier   = "Standard"
    family = "MeteredData"
  }
}

data "oci_core_fast_connect_provider_services" "this" {
  compartment_id = var.compartment_ocid
}

locals {
  microsoft = one([
    for service in data.oci_core_fast_connect_provider_services.this.fast_connect_provider_services :
    service.id if service.provider_name == "Microsoft Azure"
  ])
}

resource "oci_core_virtual_circuit" "azure" {
  compartment_id            = var.compartment_ocid
  display_name              = "${var.name}-azure"
  type                      = "PRIVATE"
  bandwidth_shape_name      = "${var.bandwidth_mbps / 1000} Gbps"
  gateway_id                = oci_core_drg.this.id
  provider_service_id       = local.microsoft
  provider_service_key_name = azurerm_express_route_circuit.oci.service_key
  is_bfd_enabled            = true

  dynamic "cross_connect_mappings" {
    for_each = cidrsubnets(var.oci_peering_cidr, 1, 1)
    content {
      oracle_bgp_peering_ip   = "${cidrhost(cross_connect_mappings.value, 1)}/30"
      customer_bgp_peering_ip = "${cidrhost(cross_connect_mappings.value, 2)}/30"
    }
  }
}

resource "azurerm_virtual_network_gateway_connection" "oci" {
  name                       = "${var.name}-oci"
  resource_group_name        = azurerm_resource_group.this.name
  location                   = azurerm_resource_group.this.location
  type                       = "ExpressRoute"
  virtual_network_gateway_id = azurerm_virtual_network_gateway.this.id
  express_route_circuit_id   = azurerm_express_route_circuit.oci.id

  # The peering must be there before the gateway is joined to it.
  depends_on = [oci_core_virtual_circuit.azure]
}
