# The circuit is ordered here and provisioned by the provider, who gets its service key. The private peering is
# configured by hand: VLAN, AS number, a /30 for each path and a shared key.
resource "azurerm_express_route_circuit" "hq" {
  name                  = var.name
  resource_group_name   = azurerm_resource_group.this.name
  location              = azurerm_resource_group.this.location
  service_provider_name = var.provider_name
  peering_location      = var.peering_location
  bandwidth_in_mbps     = var.bandwidth_mbps

  sku {
    tier   = "Standard"
    family = "MeteredData"
  }
}

resource "azurerm_express_route_circuit_peering" "private" {
  peering_type                  = "AzurePrivatePeering"
  express_route_circuit_name    = azurerm_express_route_circuit.hq.name
  resource_group_name           = azurerm_resource_group.this.name
  peer_asn                      = var.site_asn
  primary_peer_address_prefix   = cidrsubnet(var.peering_cidr, 1, 0)
  secondary_peer_address_prefix = cidrsubnet(var.peering_cidr, 1, 1)
  vlan_id                       = var.vlan
  shared_key                    = var.bgp_key
}

resource "azurerm_virtual_network_gateway_connection" "hq" {
  name                       = var.name
  resource_group_name        = azurerm_resource_group.this.name
  location                   = azurerm_resource_group.this.location
  type                       = "ExpressRoute"
  virtual_network_gateway_id = azurerm_virtual_network_gateway.this.id
  express_route_circuit_id   = azurerm_express_route_circuit.hq.id

  # The peering must be there before the gateway is joined to it.
  depends_on = [azurerm_express_route_circuit_peering.private]
}
