# As many circuits as asked for, each with a virtual network and a VCN of its own.
variable "circuits" {
  type    = number
  default = 50
}

variable "compartment_ocid" {
  type = string
}

variable "tenancy_ocid" {
  type = string
}

locals {
  # Azure allows 10 circuits per region and 50 per subscription; lab.sky.hcl raises that.
  regions = ["East US", "East US 2", "Central US", "South Central US", "West US"]
  region  = [for n in range(var.circuits) : local.regions[n % length(local.regions)]]
}

resource "azurerm_resource_group" "this" {
  name     = "many"
  location = "East US"
}

resource "azurerm_virtual_network" "this" {
  count               = var.circuits
  name                = "net-${count.index}"
  resource_group_name = azurerm_resource_group.this.name
  location            = local.region[count.index]
  address_space       = [cidrsubnet("10.0.0.0/8", 14, count.index)]
}

resource "azurerm_subnet" "gateway" {
  count                = var.circuits
  name                 = "GatewaySubnet"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.this[count.index].name
  address_prefixes     = [cidrsubnet("10.0.0.0/8", 19, count.index * 32)]
}

resource "azurerm_subnet" "app" {
  count                = var.circuits
  name                 = "app"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.this[count.index].name
  address_prefixes     = [cidrsubnet("10.0.0.0/8", 16, count.index * 4 + 1)]
}

resource "azurerm_express_route_circuit" "this" {
  count                 = var.circuits
  name                  = "circuit-${count.index}"
  resource_group_name   = azurerm_resource_group.this.name
  location              = local.region[count.index]
  service_provider_name = "Oracle Cloud FastConnect"
  peering_location      = "Washington DC"
  bandwidth_in_mbps     = 1000

  sku {
    tier   = "Standard"
    family = "MeteredData"
  }
}

resource "azurerm_public_ip" "gateway" {
  count               = var.circuits
  name                = "gateway-${count.index}"
  resource_group_name = azurerm_resource_group.this.name
  location            = local.region[count.index]
  allocation_method   = "Static"
  sku                 = "Standard"
}

resource "azurerm_virtual_network_gateway" "this" {
  count               = var.circuits
  name                = "gateway-${count.index}"
  resource_group_name = azurerm_resource_group.this.name
  location            = local.region[count.index]
  type                = "ExpressRoute"
  sku                 = "ErGw1AZ"

  ip_configuration {
    name                          = "default"
    public_ip_address_id          = azurerm_public_ip.gateway[count.index].id
    private_ip_address_allocation = "Dynamic"
    subnet_id                     = azurerm_subnet.gateway[count.index].id
  }
}

resource "azurerm_virtual_network_gateway_connection" "this" {
  count                      = var.circuits
  name                       = "connection-${count.index}"
  resource_group_name        = azurerm_resource_group.this.name
  location                   = local.region[count.index]
  type                       = "ExpressRoute"
  virtual_network_gateway_id = azurerm_virtual_network_gateway.this[count.index].id
  express_route_circuit_id   = azurerm_express_route_circuit.this[count.index].id
  depends_on                 = [oci_core_virtual_circuit.this]
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

resource "oci_core_vcn" "this" {
  count          = var.circuits
  compartment_id = var.compartment_ocid
  cidr_blocks    = [cidrsubnet("172.16.0.0/12", 12, count.index)]
  display_name   = "vcn-${count.index}"
}

resource "oci_core_drg" "this" {
  count          = var.circuits
  compartment_id = var.compartment_ocid
  display_name   = "drg-${count.index}"
}

resource "oci_core_drg_attachment" "this" {
  count        = var.circuits
  drg_id       = oci_core_drg.this[count.index].id
  display_name = "vcn-${count.index}"

  network_details {
    id   = oci_core_vcn.this[count.index].id
    type = "VCN"
  }
}

resource "oci_core_route_table" "this" {
  count          = var.circuits
  compartment_id = var.compartment_ocid
  vcn_id         = oci_core_vcn.this[count.index].id
  display_name   = "db"

  route_rules {
    destination       = one(azurerm_virtual_network.this[count.index].address_space)
    destination_type  = "CIDR_BLOCK"
    network_entity_id = oci_core_drg.this[count.index].id
  }
}

resource "oci_core_security_list" "this" {
  count          = var.circuits
  compartment_id = var.compartment_ocid
  vcn_id         = oci_core_vcn.this[count.index].id
  display_name   = "db"

  egress_security_rules {
    protocol    = "all"
    destination = "0.0.0.0/0"
  }

  ingress_security_rules {
    protocol = "1"
    source   = one(azurerm_virtual_network.this[count.index].address_space)
  }
}

resource "oci_core_subnet" "this" {
  count                      = var.circuits
  compartment_id             = var.compartment_ocid
  vcn_id                     = oci_core_vcn.this[count.index].id
  cidr_block                 = cidrsubnet("172.16.0.0/12", 12, count.index)
  display_name               = "db"
  prohibit_public_ip_on_vnic = true
  route_table_id             = oci_core_route_table.this[count.index].id
  security_list_ids          = [oci_core_security_list.this[count.index].id]
}

resource "oci_core_virtual_circuit" "this" {
  count                     = var.circuits
  compartment_id            = var.compartment_ocid
  display_name              = "circuit-${count.index}"
  type                      = "PRIVATE"
  bandwidth_shape_name      = "1 Gbps"
  gateway_id                = oci_core_drg.this[count.index].id
  provider_service_id       = local.microsoft
  provider_service_key_name = azurerm_express_route_circuit.this[count.index].service_key
  is_bfd_enabled            = true

  cross_connect_mappings {
    oracle_bgp_peering_ip   = "${cidrhost(cidrsubnet("169.254.128.0/17", 13, count.index * 2), 1)}/30"
    customer_bgp_peering_ip = "${cidrhost(cidrsubnet("169.254.128.0/17", 13, count.index * 2), 2)}/30"
  }

  cross_connect_mappings {
    oracle_bgp_peering_ip   = "${cidrhost(cidrsubnet("169.254.128.0/17", 13, count.index * 2 + 1), 1)}/30"
    customer_bgp_peering_ip = "${cidrhost(cidrsubnet("169.254.128.0/17", 13, count.index * 2 + 1), 2)}/30"
  }
}
