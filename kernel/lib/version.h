// Which Barestub this is, for the banner and for reports.
#pragma once

/// The release and the commit, such as "1.0 (4e29c32)". Made by the Makefile from
/// scripts/version.py; of one size always, so that another commit moves nothing else.
extern const char version[32];
