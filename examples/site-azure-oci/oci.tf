data "oci_identity_availability_domains" "this" {
  compartment_id = var.tenancy_ocid
}

data "oci_core_images" "linux" {
  compartment_id           = var.compartment_ocid
  operating_system         = "Oracle Linux"
  operating_system_version = "9"
}

resource "oci_core_vcn" "db" {
  compartment_id = var.compartment_ocid
  cidr_blocks    = [var.vcn_cidr]
  display_name   = "${var.name}-db"
  dns_label      = "db"
}

resource "oci_core_route_table" "db" {
  compartment_id = var.compartment_ocid
  vcn_id         = oci_core_vcn.db.id
  display_name   = "db"

  dynamic "route_rules" {
    for_each = [var.vnet_cidr, var.site_cidr]
    content {
      destination       = route_rules.value
      destination_type  = "CIDR_BLOCK"
      network_entity_id = oci_core_drg.this.id
    }
  }
}

resource "oci_core_security_list" "db" {
  compartment_id = var.compartment_ocid
  vcn_id         = oci_core_vcn.db.id
  display_name   = "db"

  egress_security_rules {
    protocol    = "all"
    destination = "0.0.0.0/0"
  }

  # Azure and the site may come in: what keeps the site out is not OCI.
  dynamic "ingress_security_rules" {
    for_each = [var.vnet_cidr, var.site_cidr]
    content {
      protocol = "all"
      source   = ingress_security_rules.value
    }
  }
}

resource "oci_core_subnet" "db" {
  compartment_id             = var.compartment_ocid
  vcn_id                     = oci_core_vcn.db.id
  cidr_block                 = cidrsubnet(var.vcn_cidr, 8, 1)
  display_name               = "db"
  dns_label                  = "db"
  prohibit_public_ip_on_vnic = true
  route_table_id             = oci_core_route_table.db.id
  security_list_ids          = [oci_core_security_list.db.id]
}

resource "oci_core_drg" "this" {
  compartment_id = var.compartment_ocid
  display_name   = var.name
}

resource "oci_core_drg_attachment" "db" {
  drg_id       = oci_core_drg.this.id
  display_name = "db"

  network_details {
    id   = oci_core_vcn.db.id
    type = "VCN"
  }
}

resource "oci_core_instance" "db" {
  compartment_id      = var.compartment_ocid
  availability_domain = data.oci_identity_availability_domains.this.availability_domains[0].name
  display_name        = "db"
  shape               = "VM.Standard.E5.Flex"

  shape_config {
    ocpus         = 2
    memory_in_gbs = 32
  }

  create_vnic_details {
    subnet_id        = oci_core_subnet.db.id
    assign_public_ip = false
  }

  source_details {
    source_type = "image"
    source_id   = data.oci_core_images.linux.images[0].id
  }

  metadata = {
    ssh_authorized_keys = var.ssh_public_key
  }
}
