# What a release publishes. Two builds of one commit by the same tools give the same bytes: whatever
# writes a time into its output takes the commit's. The page's traps are recorded anew, the same each
# time.

# In an archive, whose files have that time, nobody can ask git.
COMMIT_TIME = $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null || stat -c %Y Makefile))

# mformat and xorriso ask SOURCE_DATE_EPOCH, grub-mkrescue the clock.
$(BUILD)/release.iso: AT_THE_COMMIT = find $(BUILD)/iso-$* -exec touch -d @$(COMMIT_TIME) {} + && \
	TZ=UTC SOURCE_DATE_EPOCH=$(COMMIT_TIME) \
	faketime -f "$$(date -u -d @$(COMMIT_TIME) '+%F %T')"

$(RELEASE)/barestub.iso: $(BUILD)/release.iso
$(RELEASE)/stublint.pyz: $(BUILD)/stublint.pyz
$(RELEASE)/TRUTH.md: tests/TRUTH.md
$(RELEASE)/explorer.html: $(BUILD)/explorer/index.html

$(BUILD)/explorer/index.html: FORCE
	@$(MAKE) --no-print-directory explore

PUBLISHED := barestub.iso stublint.pyz TRUTH.md explorer.html

$(PUBLISHED:%=$(RELEASE)/%):
	@mkdir -p $(@D)
	@cp $< $@

$(RELEASE)/SHA256SUMS: $(PUBLISHED:%=$(RELEASE)/%)
	@cd $(RELEASE) && sha256sum $(PUBLISHED) > SHA256SUMS && cat SHA256SUMS
