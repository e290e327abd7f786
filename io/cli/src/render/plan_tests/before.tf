variable "password" {
  default   = "secret"
  sensitive = true
}
resource "azurerm_resource_group" "g" {
  name     = "payments"
  location = "West Europe"
  tags     = { env = "test", secret = var.password }
}
resource "azurerm_virtual_network" "v" {
  for_each            = { hub = "10.0.0.0/16", "spoke.1" = "10.1.0.0/16" }
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
    destination_port_range     = "22"
    source_address_prefix      = "*"
    destination_address_prefix = "*"
  }
}
resource "terraform_data" "t" {
  input            = { a = 1, list = ["x", "y"], "odd key" = true }
  triggers_replace = "v1"
}
resource "terraform_data" "hidden" {
  input = var.password
}
resource "terraform_data" "old" {
  input = "kept"
}
resource "terraform_data" "gone" {
  count = 2
  input = count.index
}
output "id" {
  value = terraform_data.old.id != ""
}
output "names" {
  value = [for v in azurerm_virtual_network.v : v.name]
}
output "object" {
  value = { a = 1, "b c" = { deep = [true, null] }, template = "$${x}" }
}
output "secret" {
  value     = var.password
  sensitive = true
}
