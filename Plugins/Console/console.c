#include "pabal_transport.h"
const pabal_transport *pabal_transport_entry(uint32_t host_abi) { (void)host_abi; return 0; }
