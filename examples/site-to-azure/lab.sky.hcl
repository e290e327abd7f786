# What Terraform cannot say: the site, the carrier that leads to it, and what must hold.

site "hq" {
  asn = var.site_asn

  network "lan" {
    cidr = "192.168.0.0/16"

    host "desk" { address = "192.168.0.10" }
  }

  router "ce1" {
    circuit = azurerm_express_route_circuit.hq
    path    = "primary"
  }

  router "ce2" {
    circuit = azurerm_express_route_circuit.hq
    path    = "secondary"
  }
}

# Layer 2 between the site and Microsoft, with a switch for each path.
carrier "metro" {
  model    = "l2"
  provider = var.provider_name
  hand_off = "redundant"
}

service "app" {
  host = azurerm_linux_virtual_machine.app
  tcp  = var.app_port
  to   = "127.0.0.1:8443" # without a listener a labelled test echo answers
}

expect "the site reaches the app" {
  from     = host.desk
  to       = azurerm_linux_virtual_machine.app
  tcp      = var.app_port
  survives = 1

  # Between gateway and MSEE it may take a minute, whatever BFD does on the circuit.
  within = {
    link    = "2s"
    router  = "90s"
    gateway = "90s"
  }
}

expect "the app reaches the site" {
  from = azurerm_linux_virtual_machine.app
  to   = site.hq.lan
}
