# Accounts. Skybridge needs none of them: without a value they get a placeholder.
variable "subscription_id" {
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
  default = "West Europe"
}

variable "peering_location" {
  type    = string
  default = "Amsterdam"
}

variable "provider_name" {
  type    = string
  default = "Equinix"
}

variable "bandwidth_mbps" {
  type    = number
  default = 500
}

variable "vnet_cidr" {
  type    = string
  default = "10.20.0.0/16"
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

variable "app_port" {
  type    = number
  default = 443
}
