"""The network's sites in the paper's two strata, STEM and other, and those that it would drop.

The paper (section 2.1) took 179 sites, 75 of them STEM and 99 other, and left out 5 as too niche; it does not print the
lists, so the division below is ours: the network's own categories (https://stackexchange.com/sites) "Technology" and
"Science" are STEM, "Culture & recreation", "Life & arts", "Business" and "Professional" are other. Dropped are the five
sites whose posts are not in English. Closed and renamed sites are listed too, as old dumps hold them. Metas speak of
the sites themselves: they make a stratum of their own. No default quota draws from `meta` or `dropped`. What is not
listed is `other`; a recipe's `groups` and `group` override all of this.
"""

from limakit.sources.stackexchange.names import without_meta

STEM = frozenset(
    """
    3dprinting ai android apple arduino askubuntu astronomy augur bioacoustics bioinformatics biology bitcoin
    blender cardano chemistry civicrm codegolf codereview cogsci computergraphics craftcms crypto cs cs50
    cseducators cstheory datascience dba devops drones drupal dsp earthscience ebooks economics edx-cs169-1x
    electronics elementaryos emacs engineering eosio ethereum expressionengine gamedev genai
    gis hardwarerecs health hsm iot iota joomla langdev linguistics magento math mathematica
    matheducators mathoverflow mattermodeling medicalsciences monero networkengineering neuroscience nuclear
    opendata openscience opensource or physics programmers proofassistants psychology quant
    quantumcomputing raspberrypi retrocomputing reverseengineering robotics salesforce scicomp
    security serverfault sharepoint sitecore softwareengineering softwarerecs solana space sqa stackapps
    stackoverflow stats stellar substrate superuser tex tezos theoreticalphysics tor tridion unix ux vi webapps
    webmasters windowsphone wordpress
    """.split()  # noqa: SIM905 (a list that people read and edit)
)

OTHER = frozenset(
    """
    academia alcohol anime arabic arts astrology avp aviation beer bicycles boardgames bricks buddhism chess
    chinese christianity coffee communitybuilding conlang cooking crafts diy ell english esperanto expatriates
    fitness freelancing french gaming gardening genealogy german graphicdesign ham hermeneutics hinduism history
    homebrew interpersonal iran islam italian japanese judaism korean languagelearning latin law lifehacks
    literature martialarts mechanics moderators money movies music musicfans mythology outdoors parenting
    patents pets philosophy photo pm poker politics portuguese productivity puzzling rpg russian scifi
    skeptics sound spanish sports startups stackexchange sustainability travel ukrainian vegetarianism video
    woodworking workplace worldbuilding writers writing
    """.split()  # noqa: SIM905 (a list that people read and edit)
)

DROPPED = frozenset({"es.stackoverflow", "ja.stackoverflow", "pt.stackoverflow", "ru.stackoverflow", "rus"})


def group_of(site: str) -> str:
    """Stratum of a site as `names.site_of` writes it: `stem`, `other`, `meta` or `dropped`."""
    if without_meta(site) != site or site == "meta":
        return "meta"
    return "stem" if site in STEM else "dropped" if site in DROPPED else "other"


def is_known(site: str) -> bool:
    """Whether a site, or the site that a meta belongs to, is one of the network's."""
    main = without_meta(site)
    return main in STEM or main in OTHER or main in DROPPED or main == "meta"
