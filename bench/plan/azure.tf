# One of the modules of `bench/plan.sh`: a network with `n` of each of six types.
variable "i" { type = number }
variable "n" { type = number }
resource "azurerm_resource_group" "g" {
  name     = "g${var.i}"
  location = "westeurope"
}
resource "azurerm_virtual_network" "v" {
  name                = "v${var.i}"
  resource_group_name = azurerm_resource_group.g.name
  location            = azurerm_resource_group.g.location
  address_space       = [cidrsubnet("10.0.0.0/8", 6, var.i)]
}
resource "azurerm_network_security_group" "s" {
  name                = "s"
  resource_group_name = azurerm_resource_group.g.name
  location            = azurerm_resource_group.g.location
}
resource "azurerm_route_table" "r" {
  name                = "r"
  resource_group_name = azurerm_resource_group.g.name
  location            = azurerm_resource_group.g.location
}
resource "azurerm_subnet" "s" {
  count                = var.n
  name                 = "s${count.index}"
  resource_group_name  = azurerm_resource_group.g.name
  virtual_network_name = azurerm_virtual_network.v.name
  address_prefixes     = [cidrsubnet(azurerm_virtual_network.v.address_space[0], 10, count.index)]
}
resource "azurerm_subnet_network_security_group_association" "a" {
  count                     = var.n
  subnet_id                 = azurerm_subnet.s[count.index].id
  network_security_group_id = azurerm_network_security_group.s.id
}
resource "azurerm_network_security_rule" "r" {
  count                       = var.n
  name                        = "r${count.index}"
  priority                    = 100 + count.index
  direction                   = "Inbound"
  access                      = "Allow"
  protocol                    = "Tcp"
  source_port_range           = "*"
  destination_port_range      = tostring(1000 + count.index)
  source_address_prefix       = "*"
  destination_address_prefix  = "*"
  resource_group_name         = azurerm_resource_group.g.name
  network_security_group_name = azurerm_network_security_group.s.name
}
resource "azurerm_route" "r" {
  count               = var.n
  name                = "r${count.index}"
  resource_group_name = azurerm_resource_group.g.name
  route_table_name    = azurerm_route_table.r.name
  address_prefix      = cidrsubnet("172.16.0.0/12", 14, count.index)
  next_hop_type       = "None"
}
resource "azurerm_network_interface" "n" {
  count               = var.n
  name                = "n${count.index}"
  resource_group_name = azurerm_resource_group.g.name
  location            = azurerm_resource_group.g.location
  ip_configuration {
    name                          = "a"
    subnet_id                     = azurerm_subnet.s[0].id
    private_ip_address_allocation = "Dynamic"
  }
}
resource "azurerm_linux_virtual_machine" "m" {
  count                           = var.n
  name                            = "m${count.index}"
  resource_group_name             = azurerm_resource_group.g.name
  location                        = azurerm_resource_group.g.location
  size                            = "Standard_D2s_v3"
  admin_username                  = "u"
  admin_password                  = "Secret1234!"
  disable_password_authentication = false
  network_interface_ids           = [azurerm_network_interface.n[count.index].id]
  os_disk {
    caching              = "ReadWrite"
    storage_account_type = "Standard_LRS"
  }
}
