# One of the modules of `bench/plan.sh`: a network with `n` of each of four types.
variable "i" { type = number }
variable "n" { type = number }
resource "oci_core_vcn" "v" {
  compartment_id = "ocid1.compartment.oc1..a"
  cidr_blocks    = [cidrsubnet("10.0.0.0/8", 8, 128 + var.i)]
  display_name   = "v${var.i}"
}
resource "oci_core_network_security_group" "g" {
  count          = 2
  compartment_id = "ocid1.compartment.oc1..a"
  vcn_id         = oci_core_vcn.v.id
}
resource "oci_core_internet_gateway" "i" {
  compartment_id = "ocid1.compartment.oc1..a"
  vcn_id         = oci_core_vcn.v.id
}
resource "oci_core_route_table" "r" {
  compartment_id = "ocid1.compartment.oc1..a"
  vcn_id         = oci_core_vcn.v.id
  route_rules {
    destination       = "0.0.0.0/0"
    network_entity_id = oci_core_internet_gateway.i.id
  }
}
resource "oci_core_security_list" "l" {
  count          = var.n
  compartment_id = "ocid1.compartment.oc1..a"
  vcn_id         = oci_core_vcn.v.id
  egress_security_rules {
    destination = "0.0.0.0/0"
    protocol    = "all"
  }
}
resource "oci_core_subnet" "s" {
  count             = var.n
  compartment_id    = "ocid1.compartment.oc1..a"
  vcn_id            = oci_core_vcn.v.id
  cidr_block        = cidrsubnet(oci_core_vcn.v.cidr_blocks[0], 8, count.index)
  route_table_id    = oci_core_route_table.r.id
  security_list_ids = [oci_core_security_list.l[count.index].id]
}
resource "oci_core_network_security_group_security_rule" "r" {
  count                     = var.n
  network_security_group_id = oci_core_network_security_group.g[count.index % 2].id
  direction                 = "INGRESS"
  protocol                  = "6"
  source                    = "10.0.0.0/8"
  source_type               = "CIDR_BLOCK"
  tcp_options {
    destination_port_range {
      min = 1000 + count.index
      max = 1000 + count.index
    }
  }
}
resource "oci_core_instance" "m" {
  count               = var.n
  availability_domain = "AD-1"
  compartment_id      = "ocid1.compartment.oc1..a"
  shape               = "VM.Standard.E4.Flex"
  create_vnic_details {
    subnet_id = oci_core_subnet.s[0].id
    nsg_ids   = [oci_core_network_security_group.g[0].id]
  }
  source_details {
    source_type = "image"
    source_id   = "ocid1.image.oc1..a"
  }
}
