# Two edge routers that are really there: FRR as ce1 and BIRD as ce2, each in a network namespace. What is behind
# them is theirs; the first address of the LAN is on both.

site "hq" {
  asn = var.site_asn

  network "lan" { cidr = "192.168.0.0/16" }

  router "ce1" {
    circuit = azurerm_express_route_circuit.hq
    path    = "primary"
    attach  = "netns:frr"
    persona = "frr" # stands in for it where the network is repeated in virtual time
  }

  router "ce2" {
    circuit = azurerm_express_route_circuit.hq
    path    = "secondary"
    attach  = "netns:bird"
    persona = "bird"
  }
}

carrier "metro" { model = "l2" }

expect "the app reaches the site" {
  from     = azurerm_linux_virtual_machine.app
  to       = site.hq.lan
  survives = 1

  within = {
    link    = "2s"
    router  = "90s"
    gateway = "90s"
  }
}
