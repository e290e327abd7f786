# A tenant whose quotas were raised: Azure gives 10 circuits per region and 50 per subscription.
limits {
  azure_circuits_per_subscription            = 1000
  azure_circuits_per_region_per_subscription = 1000
}
