# Accounts. Skybridge needs none of them: without a value they get a placeholder.
variable "subscription_id" {
  type = string
}

variable "tenancy_ocid" {
  type = string
}

variable "compartment_ocid" {
  type = string
}

variable "user_ocid" {
  type = string
}

variable "fingerprint" {
  type = string
}

variable "private_key_path" {
  type = string
}

variable "ssh_public_key" {
  type = string
}

# The network.
variable "name" {
  description = "Prefix of every name"
  type        = string
  default     = "hq"
}

variable "location" {
  type    = string
  default = "East US"
}

variable "peering_location" {
  type    = string
  default = "Washington DC"
}

variable "provider_name" {
  type    = string
  default = "Equinix"
}

variable "bandwidth_mbps" {
  type    = number
  default = 1000
}

variable "oci_region" {
  type    = string
  default = "us-ashburn-1"
}

variable "vnet_cidr" {
  type    = string
  default = "10.20.0.0/16"
}

variable "vcn_cidr" {
  type    = string
  default = "10.40.0.0/16"
}

variable "site_cidr" {
  type    = string
  default = "192.168.0.0/16"
}

variable "site_asn" {
  type    = number
  default = 65010
}

variable "peering_cidr" {
  description = "A /29, split into one /30 for each path"
  type        = string
  default     = "172.30.255.0/29"
}

variable "oci_peering_cidr" {
  description = "The same for the circuit to OCI"
  type        = string
  default     = "172.30.255.8/29"
}

variable "vlan" {
  description = "Customer tag of the private peering, the same on both paths"
  type        = number
  default     = 100
}

variable "bgp_key" {
  description = "MD5 key of both sessions: letters and digits, 25 at most"
  type        = string
  default     = "Skybridge1Example"
  sensitive   = true
}

variable "database_port" {
  type    = number
  default = 1521
}
