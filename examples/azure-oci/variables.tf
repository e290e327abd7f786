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
  default     = "payments"
}

variable "pair" {
  description = "Which pair of regions to join"
  type        = string
  default     = "ashburn"
}

variable "bandwidth_mbps" {
  description = "Bandwidth of the circuit; FastConnect offers 1, 2, 5 and 10 Gbps"
  type        = number
  default     = 1000
}

variable "vnet_cidr" {
  type    = string
  default = "10.20.0.0/16"
}

variable "vcn_cidr" {
  type    = string
  default = "10.40.0.0/16"
}

variable "peering_cidr" {
  description = "A /29, split into one /30 for each link"
  type        = string
  default     = "172.30.255.0/29"
}

variable "app_count" {
  type    = number
  default = 2
}

variable "bfd" {
  description = "Without BFD a silent loss is noticed by the BGP hold timer alone."
  type        = bool
  default     = true
}

variable "database_port" {
  type    = number
  default = 1521
}

locals {
  pairs = {
    ashburn = {
      azure_region     = "East US"
      peering_location = "Washington DC"
      oci_region       = "us-ashburn-1"
    }
    london = {
      azure_region     = "UK South"
      peering_location = "London"
      oci_region       = "uk-london-1"
    }
    frankfurt = {
      azure_region     = "Germany West Central"
      peering_location = "Frankfurt"
      oci_region       = "eu-frankfurt-1"
    }
  }
  pair = local.pairs[var.pair]

  # One /30 for each link; the first usable address is Oracle's, the second Azure's.
  peering_links = cidrsubnets(var.peering_cidr, 1, 1)
}
