# The OCI side of a circuit whose own is somewhere else: `skybridge provider provision`.
variable "region" {
  type = string
}

variable "prefix" {
  type = string
}

variable "shape" {
  type = string
}

variable "key" {
  type = string
}

variable "primary" {
  type = string
}

variable "secondary" {
  type = string
}

provider "oci" {
  region = var.region
}

data "oci_core_fast_connect_provider_services" "all" {
  compartment_id = "stub"

  filter {
    name   = "provider_name"
    values = ["Microsoft Azure"]
  }
}

data "oci_identity_availability_domains" "all" {
  compartment_id = "stub"
}

data "oci_core_images" "all" {
  compartment_id = "stub"
}

resource "oci_core_vcn" "stub" {
  compartment_id = "stub"
  cidr_blocks    = [var.prefix]
  display_name   = "stub"
}

resource "oci_core_drg" "stub" {
  compartment_id = "stub"
  display_name   = "stub"
}

resource "oci_core_drg_attachment" "stub" {
  drg_id       = oci_core_drg.stub.id
  display_name = "stub"

  network_details {
    id   = oci_core_vcn.stub.id
    type = "VCN"
  }
}

resource "oci_core_route_table" "stub" {
  compartment_id = "stub"
  vcn_id         = oci_core_vcn.stub.id

  route_rules {
    destination       = "0.0.0.0/0"
    destination_type  = "CIDR_BLOCK"
    network_entity_id = oci_core_drg.stub.id
  }
}

resource "oci_core_security_list" "stub" {
  compartment_id = "stub"
  vcn_id         = oci_core_vcn.stub.id

  egress_security_rules {
    protocol    = "all"
    destination = "0.0.0.0/0"
  }

  ingress_security_rules {
    protocol = "all"
    source   = "0.0.0.0/0"
  }
}

resource "oci_core_subnet" "stub" {
  compartment_id    = "stub"
  vcn_id            = oci_core_vcn.stub.id
  cidr_block        = var.prefix
  display_name      = "stub"
  route_table_id    = oci_core_route_table.stub.id
  security_list_ids = [oci_core_security_list.stub.id]
}

resource "oci_core_instance" "stub" {
  compartment_id      = "stub"
  availability_domain = data.oci_identity_availability_domains.all.availability_domains[0].name
  display_name        = "stub"
  shape               = "VM.Standard.E5.Flex"

  create_vnic_details {
    subnet_id        = oci_core_subnet.stub.id
    assign_public_ip = false
  }

  source_details {
    source_type = "image"
    source_id   = data.oci_core_images.all.images[0].id
  }
}

resource "oci_core_virtual_circuit" "stub" {
  compartment_id            = "stub"
  display_name              = "stub"
  type                      = "PRIVATE"
  bandwidth_shape_name      = var.shape
  gateway_id                = oci_core_drg.stub.id
  provider_service_id       = data.oci_core_fast_connect_provider_services.all.fast_connect_provider_services[0].id
  provider_service_key_name = var.key

  dynamic "cross_connect_mappings" {
    for_each = [var.primary, var.secondary]

    content {
      oracle_bgp_peering_ip   = "${cidrhost(cross_connect_mappings.value, 1)}/30"
      customer_bgp_peering_ip = "${cidrhost(cross_connect_mappings.value, 2)}/30"
    }
  }
}
