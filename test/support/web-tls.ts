/** A certificate for localhost and 127.0.0.1 that only tests trust; valid for a hundred years. */
export const tlsCertificate = `-----BEGIN CERTIFICATE-----
MIIBmjCCAUGgAwIBAgIUJ63MPso5bi+TCHERliNVRerp7+QwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzE1MDQwOFoYDzIxMjYxMDMw
MTUwNDA4WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARVwdpQo9IkqtyCACbSAz1OvPFqIZXUeZSQjkM/DsvtUs4mdrt7SGii
Zz7FvDr/rEvfg93iFs4MChEUCfd2EfxQo28wbTAdBgNVHQ4EFgQUcZK0Z8sWHlo6
jh9283FR/uaPZMowHwYDVR0jBBgwFoAUcZK0Z8sWHlo6jh9283FR/uaPZMowDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDRwAwRAIgEm91jExfWpegVF/wZurYFjzBe5Q/K3KUI9Jed7SQeWsCIDfs
/aglaT3C4juHIX+lP6P4o0gSsgalMojIsLr3x8SX
-----END CERTIFICATE-----
`

/** Its key: no secret, it opens nothing but tests. */
export const tlsKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgBvMBp6IV/GkSmIrE
ENj6/klrnWgZ/c9gqFRg7dNDsNuhRANCAARVwdpQo9IkqtyCACbSAz1OvPFqIZXU
eZSQjkM/DsvtUs4mdrt7SGiiZz7FvDr/rEvfg93iFs4MChEUCfd2EfxQ
-----END PRIVATE KEY-----
`
