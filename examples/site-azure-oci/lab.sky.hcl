# A site and OCI on one virtual network: both reach Azure, and not one another.

site "hq" {
  asn = var.site_asn

  network "lan" { cidr = var.site_cidr }

  router "ce1" {
    circuit = azurerm_express_route_circuit.hq
    path    = "primary"
  }

  router "ce2" {
    circuit = azurerm_express_route_circuit.hq
    path    = "secondary"
  }
}

carrier "metro" { model = "l2" }

expect "the site reaches the app" {
  from = site.hq.lan
  to   = azurerm_linux_virtual_machine.app
}

expect "the app reaches the database" {
  from = azurerm_linux_virtual_machine.app
  to   = oci_core_instance.db
  tcp  = var.database_port
}

# ExpressRoute is no transit network: what one circuit announces is not announced to another. OCI has the route
# and lets the site in, so nothing else keeps them apart.
expect "the site does not reach the database through Azure" {
  from      = site.hq.lan
  to        = oci_core_instance.db
  reachable = false
}

expect "the database does not reach the site through Azure" {
  from      = oci_core_instance.db
  to        = site.hq.lan
  reachable = false
}
