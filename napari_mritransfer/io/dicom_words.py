"""The only words of a DICOM file that are ever shown.

Any text in a DICOM file may hold a person's name: descriptions are typed at the console. So text is never passed on; it
is looked through for words of the trade, and what is not in the list below stays in the file.
"""

import re

_SPLIT = re.compile(r"[^a-z0-9]+")
_MOST_WORDS = 12
_DESCRIPTIONS = """
    t1 t1w t2 t2w t2star pd pdw flair stir tirm dwi dti adc trace swi swan bold fmri rest asl pwi dce dsc tof mra mrv
    mrcp mrs cine loc localizer localiser scout survey topogram
    mprage mp2rage mpr bravo fspgr spgr flash fgre gre tfe ffe tfl vibe lava thrive dixon ideal fiesta ciss trufi
    bssfp ssfp haste ssfse fse tse se me mese mge megre epi ep2d cube space vista dess medic merge star b0 b1 fieldmap
    phase magnitude mag real imaginary water fat inphase outphase opp fs fatsat spair spir nonfs
    2d 3d tra trans transverse axial ax sag sagittal cor coronal obl oblique iso hr highres
    pre post gad gd contrast dynamic dyn perfusion diffusion anat anatomical func functional structural
    head brain knee spine cspine lspine tspine neck heart cardiac liver abdomen pelvis prostate hip shoulder ankle wrist
    hand foot breast kidney orbit pituitary hippocampus
"""
_MAKERS = """
    siemens healthineers healthcare ge medical systems philips canon toshiba hitachi fujifilm bruker agilent varian
    esaote united imaging uih hyperfine mediso biolab
"""
_MODELS = """
    aera altea amira avanto biograph cimax essenza espree lumina magnetom mmr prisma prismafit
    sempra skyra sola sonata spectra symphony terra trio triotim verio vida viato
    750 750w architect artist artiste brivo creator discovery explorer hdx hdxt mr mr355 mr360 mr450 mr450w mr750 mr750w
    optima pioneer premier signa voyager excite hero
    achieva ambition elition evolution gyroscan ingenia ingenuity intera mr5300 mr7700 multiva panorama prodiva tx ds
    vantage galan titan orian centurian elan atlas echelon oasis airis
    biospec pharmascan clinscan icon nifti2dicom dicom2nifti
"""
_AS_WRITTEN = {"ge": "GE", "tx": "TX", "uih": "UIH", "mmr": "mMR"}


def description_words(text: str) -> str:
    """What a description says of the sequence and the part of the body: ``"t1 mprage sag"``; empty for all else."""
    return " ".join(_known(text, _DESCRIPTIONS))


def machine_words(maker: str, model: str) -> str:
    """Known makers and models, written as names are: ``"Siemens Prisma"``."""
    words = [*_known(maker, _MAKERS), *_known(model, _MODELS)]
    return " ".join(_AS_WRITTEN.get(word, _capital(word)) for word in words)


def _known(text: str, known: str) -> list[str]:
    """In their order, each once."""
    words = [word for word in _SPLIT.split(text.lower()) if word in known.split()]
    return list(dict.fromkeys(words))[:_MOST_WORDS]


def _capital(word: str) -> str:
    return word.upper() if any(letter.isdigit() for letter in word) else word.capitalize()
