variable "password" {
  default   = "another"
  sensitive = true
}
resource "azurerm_resource_group" "g" {
  name     = "payments"
  location = "West Europe"
  tags     = { env = "live", secret = var.password }
}
resource "azurerm_virtual_network" "v" {
  for_each            = { hub = "10.0.0.0/16", "spoke.2" = "10.2.0.0/16" }
  name                = each.key
  resource_group_name = azurerm_resource_group.g.name
  location            = azurerm_resource_group.g.location
  address_space       = [each.value]
}
resource "azurerm_network_security_group" "n" {
  name                = "n"
  resource_group_name = azurerm_resource_group.g.name
  location            = azurerm_resource_group.g.location
  security_rule {
    name                       = "ssh"
    priority                   = 100
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_port_range          = "*"
    destination_port_range     = "2222"
    source_address_prefix      = "*"
    destination_address_prefix = "*"
  }
}
resource "terraform_data" "t" {
  input            = { a = 2, list = ["x", "z"], "odd key" = true }
  triggers_replace = "v2"
}
resource "terraform_data" "hidden" {
  input = var.password
}
moved {
  from = terraform_data.old
  to   = terraform_data.new
}
resource "terraform_data" "new" {
  input = "kept"
}
resource "terraform_data" "gone" {
  count = 1
  input = count.index
}
output "id" {
  value = terraform_data.new.id != ""
}
output "other" {
  value = [for v in azurerm_virtual_network.v : v.name]
}
output "object" {
  value = { a = 1, "b c" = { deep = [true, null] }, template = "$${x}" }
}
output "secret" {
  value     = var.password
  sensitive = true
}
