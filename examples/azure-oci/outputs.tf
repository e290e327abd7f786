output "app_addresses" {
  value = azurerm_network_interface.app[*].private_ip_address
}

output "database_address" {
  value = oci_core_instance.db.private_ip
}

output "service_key" {
  value     = azurerm_express_route_circuit.this.service_key
  sensitive = true
}
