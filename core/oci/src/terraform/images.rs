//! Platform images: a small, stable selection of what tenancies see.

/// An image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Image {
    pub(super) system: &'static str,
    pub(super) version: &'static str,
    pub(super) name: &'static str,
    pub(super) created: &'static str,
}

const fn image(
    system: &'static str,
    version: &'static str,
    name: &'static str,
    created: &'static str,
) -> Image {
    Image {
        system,
        version,
        name,
        created,
    }
}

/// Newest first, as the API lists them by `TIMECREATED`.
pub(super) const IMAGES: [Image; 10] = [
    image(
        "Oracle Linux",
        "9",
        "Oracle-Linux-9.4-2024.09.30-0",
        "2024-10-02 10:00:00 +0000 UTC",
    ),
    image(
        "Oracle Linux",
        "8",
        "Oracle-Linux-8.10-2024.09.30-0",
        "2024-10-02 09:00:00 +0000 UTC",
    ),
    image(
        "Oracle Linux",
        "8",
        "Oracle-Linux-8.10-Gen2-GPU-2024.09.30-0",
        "2024-10-02 08:00:00 +0000 UTC",
    ),
    image(
        "Oracle Linux",
        "7.9",
        "Oracle-Linux-7.9-2024.09.30-0",
        "2024-10-02 07:00:00 +0000 UTC",
    ),
    image(
        "Canonical Ubuntu",
        "24.04",
        "Canonical-Ubuntu-24.04-2024.08.26-0",
        "2024-08-28 12:00:00 +0000 UTC",
    ),
    image(
        "Canonical Ubuntu",
        "22.04",
        "Canonical-Ubuntu-22.04-2024.08.20-0",
        "2024-08-22 12:00:00 +0000 UTC",
    ),
    image(
        "Canonical Ubuntu",
        "20.04",
        "Canonical-Ubuntu-20.04-2024.08.20-0",
        "2024-08-22 11:00:00 +0000 UTC",
    ),
    image(
        "CentOS",
        "7",
        "CentOS-7-2024.05.31-0",
        "2024-06-03 12:00:00 +0000 UTC",
    ),
    image(
        "Windows",
        "Server 2022 Standard",
        "Windows-Server-2022-Standard-Edition-VM-2024.08.13-0",
        "2024-08-15 12:00:00 +0000 UTC",
    ),
    image(
        "Windows",
        "Server 2019 Standard",
        "Windows-Server-2019-Standard-Edition-VM-2024.08.13-0",
        "2024-08-15 11:00:00 +0000 UTC",
    ),
];
